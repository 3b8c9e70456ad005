from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnn_train.checks.gradcheck import check_session
from cnn_train.checks.slopes import (
    STEPS,
    TOLERANCE,
    Objective,
    TensorCheck,
    check_gradient,
    relative_error,
)
from cnn_train.errors import ConfigError, UsageError
from cnn_train.training.session import Session

Start = Callable[..., Session]


def make_generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def check(
    scores: Callable[[], Tensor], parameters: dict[str, Tensor], samples: int = 4
) -> list[TensorCheck]:
    objective = Objective(scores, lambda scores: scores.sum())
    return list(check_gradient(objective, parameters, samples=samples, generator=make_generator()))


class Faulty(torch.autograd.Function):
    """A linear layer, whose backward pass makes one of the mistakes that people make."""

    @staticmethod
    def forward(ctx: Any, mistake: str, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.mistake = mistake
        ctx.save_for_backward(x, weight)
        return x @ weight.T + bias

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Any:
        (slope,) = slopes
        x, weight = ctx.saved_tensors
        d_weight, d_bias = slope.T @ x, slope.sum(0)
        match ctx.mistake:
            case "wrong sign":
                d_weight = -d_weight
            case "factor 2":
                d_weight = 2 * d_weight
            case "dropped bias":
                d_bias = None
            case "not a number":
                d_bias = torch.full_like(d_bias, torch.nan)
        return None, slope @ weight, d_weight, d_bias


class FaultyLinear(nn.Linear):
    """Draws its scores from Faulty."""

    mistake = "none"

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = Faulty.apply(self.mistake, images.flatten(1), self.weight, self.bias)
        return scores


MISTAKES = {
    "wrong sign": ("weight", 2.0),
    "factor 2": ("weight", 0.5),
    "dropped bias": ("bias", 1.0),
    "not a number": ("bias", float("inf")),
    "none": ("", 0.0),
}


@pytest.mark.parametrize(("mistake", "place", "error"), [(k, *v) for k, v in MISTAKES.items()])
def test_a_wrong_backward_pass_is_caught_in_the_tensor_that_it_gets_wrong(
    start: Start, mistake: str, place: str, error: float
) -> None:
    session = start()
    torch.manual_seed(0)
    layer = FaultyLinear(3 * 8 * 8, 3)
    layer.mistake = mistake
    session.model = layer
    found = {one.name: one for one in check_session(session, samples=3, num_images=8)}
    if mistake != "none":
        wrong = found.pop(place)
        assert not wrong.passed
        assert wrong.worst is not None
        assert wrong.worst.error == pytest.approx(error, rel=1e-3)
    assert all(one.passed for one in found.values())


def test_slopes_are_those_of_a_function_worked_by_hand() -> None:
    """L = Σ x³: the slope is 3x²."""
    x = torch.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=torch.float64, requires_grad=True)
    (found,) = check(lambda: x**3, {"x": x}, samples=10)
    slopes = {entry.index: (entry.backward, entry.numeric) for entry in found.entries}
    assert found.entries[0].index == (1, 1)  # the steepest comes first
    assert len(slopes) == len(found.entries)
    for index, (backward, numeric) in slopes.items():
        assert backward == 3 * x[index].item() ** 2
        assert numeric == pytest.approx(backward, rel=1e-7)


def planted(seed: int, spoil: Callable[[Tensor], None]) -> TensorCheck:
    """Check 16 filters, of 1,200 numbers, behind which ``spoil`` has changed the gradient."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv2d(3, 16, 5), nn.ReLU(), nn.Flatten(), nn.Linear(256, 3))
    network.double()
    images, labels = torch.randn(4, 3, 8, 8, dtype=torch.float64), torch.tensor([0, 1, 2, 1])
    weight = network[0].weight

    def spoiled(gradient: Tensor) -> Tensor:
        changed = gradient.clone()
        spoil(changed)
        return changed

    weight.register_hook(spoiled)
    objective = Objective(lambda: network(images), lambda scores: F.cross_entropy(scores, labels))
    generator = torch.Generator().manual_seed(seed)
    (found,) = check_gradient(objective, {"0.weight": weight}, samples=1, generator=generator)
    return found


@pytest.mark.parametrize(
    "spoil",
    [lambda gradient: gradient[7].mul_(1.5), lambda gradient: gradient[-1, -1, -1, -1].mul_(2)],
    ids=["a row enlarged", "the last entry doubled"],
)
def test_a_fault_in_entries_at_which_nobody_looks_shows_in_the_direction_through_all(
    spoil: Callable[[Tensor], None],
) -> None:
    found = [planted(seed, spoil) for seed in range(12)]
    assert not any(check.passed for check in found)
    assert not any(check.direction.passed for check in found)
    assert any(entry.passed for check in found for entry in check.entries)


def test_the_direction_through_all_of_a_right_gradient_passes() -> None:
    found = [planted(seed, lambda gradient: None) for seed in range(12)]
    assert all(check.passed and not check.direction.kinks for check in found)


def test_the_direction_goes_as_far_along_every_entry() -> None:
    """L = c·x, whose slope along ±1/√n is Σ ±c/√n: the c, powers of 2, tell every sign."""
    c = 2.0 ** torch.arange(8, dtype=torch.float64)
    x = torch.zeros(8, dtype=torch.float64, requires_grad=True)
    (found,) = check(lambda: c * x, {"x": x})
    total = found.direction.backward * 8**0.5
    assert found.direction.numeric == pytest.approx(found.direction.backward)
    assert (total + 255) % 2 == pytest.approx(0, abs=1e-9) and abs(total) < 255.5


def test_another_direction_is_drawn_where_a_kink_lies_in_the_first() -> None:
    """Of the four directions, two cross x + y = 0: half the first draws, an eighth of three."""
    x = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    objective = Objective(lambda: x.sum(), F.relu)
    generator = make_generator()
    unjudged = 0
    for _ in range(200):
        (found,) = check_gradient(objective, {"x": x}, samples=1, generator=generator)
        unjudged += bool(found.direction.kinks)
    assert unjudged == pytest.approx(200 / 8, abs=20)


def test_a_kink_that_a_smaller_step_avoids_is_stepped_around() -> None:
    x = torch.tensor([3e-8], dtype=torch.float64, requires_grad=True)
    (found,) = check(lambda: F.relu(x), {"x": x})
    (entry,) = found.entries
    assert entry.h == STEPS[-1] and entry.kinks == ()
    assert entry.numeric == pytest.approx(1.0, rel=1e-6)


def test_a_kink_right_here_is_reported_and_judged_by_nobody() -> None:
    """At 0 the difference quotient of ReLU is ½, which is neither of its slopes."""
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    (found,) = check(lambda: F.relu(x), {"x": x})
    (entry,) = found.entries
    assert entry.kinks == ("ReLU",)
    assert entry.numeric == pytest.approx(0.5)
    assert found.passed and found.worst is None


@pytest.mark.parametrize(
    ("loss", "kind"),
    [(lambda s: F.relu(s).sum(), "hinge margin"), (lambda s: s.abs().sum(), "|W|")],
)
def test_a_kink_of_the_loss_is_named_for_what_it_is(
    loss: Callable[[Tensor], Tensor], kind: str
) -> None:
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    objective = Objective(lambda: x * 1, loss)
    (found,) = check_gradient(objective, {"x": x}, samples=1, generator=make_generator())
    assert found.entries[0].kinks == (kind,)


def test_a_slope_of_zero_passes_although_differences_only_come_near_it() -> None:
    """A bias before batch norm: rounding alone makes a numeric slope."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 9), nn.BatchNorm1d(9), nn.Linear(9, 2)).double()
    images = torch.randn(64, 4, dtype=torch.float64)
    parameters = {"bias": network[0].bias}
    (found,) = check(lambda: network(images) ** 3, parameters, samples=9)
    assert any(entry.numeric != 0 for entry in found.entries)
    assert all(abs(entry.backward) < 1e-12 for entry in found.entries)
    assert found.passed


def test_a_parameter_that_the_loss_does_not_reach_has_slope_zero() -> None:
    x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    apart = torch.ones((), dtype=torch.float64, requires_grad=True)
    found = check(lambda: x**2, {"x": x, "apart": apart})
    assert found[1].passed and found[1].entries[0].backward == 0
    assert found[1].entries[0].index == ()


def test_the_weights_are_the_same_to_the_bit_afterwards() -> None:
    x = torch.randn(5, dtype=torch.float64, requires_grad=True)
    before = x.detach().clone()
    check(lambda: x.sin(), {"x": x}, samples=5)
    assert torch.equal(x, before)


def test_the_relative_error_is_0_if_equal_and_2_for_a_wrong_sign() -> None:
    assert relative_error(0.1, 0.1, 1e-9) == 0
    assert relative_error(0.1, -0.1, 1e-9) == 2
    assert relative_error(0.0, 0.1, 1e-9) == 1
    assert relative_error(0.0, 1e-12, 1e-4) < TOLERANCE


@pytest.mark.parametrize("kind", ["none", "l1", "l2", "elastic"])
@pytest.mark.parametrize("loss", ["hinge", "cross_entropy"])
def test_the_sessions_model_with_its_loss_and_regularisation_passes(
    start: Start, loss: str, kind: str
) -> None:
    strength = {} if kind == "none" else {"strength": 0.1}
    session = start(loss={"name": loss}, regularization={"kind": kind, **strength})
    found = list(check_session(session, samples=4, num_images=8))
    assert [one.name for one in found] == [name for name, _ in session.model.named_parameters()]
    assert all(one.passed and one.judged for one in found)


def test_the_regularisations_slope_is_part_of_it(start: Start) -> None:
    with_it, without = (
        next(check_session(start(regularization=one), samples=1, num_images=8)).entries[0].index
        for one in ({"kind": "l2", "strength": 1e6}, {"kind": "none"})
    )
    weight = start().model.get_parameter("fc1.weight")
    assert with_it == divmod(int(weight.abs().argmax()), weight.shape[1])  # 2λw outweighs all
    assert with_it != without


def test_dropout_leaves_out_the_same_units_every_time(start: Start) -> None:
    session = start()
    session.model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(192, 3))
    state = torch.get_rng_state()
    assert all(one.passed for one in check_session(session, samples=4, num_images=8))
    assert torch.equal(torch.get_rng_state(), state)


def test_the_sessions_own_model_is_left_alone(start: Start) -> None:
    session = start()
    before = {name: value.clone() for name, value in session.model.state_dict().items()}
    list(check_session(session, samples=2, num_images=8))
    after = session.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert all(value.dtype == torch.float32 for value in after.values())


def test_only_the_layers_asked_for_are_checked(start: Start) -> None:
    found = list(check_session(start(), layers=("fc",), samples=1, num_images=4))
    assert [one.name for one in found] == ["fc.weight", "fc.bias"]
    with pytest.raises(UsageError, match=r"--layer fc7: .*choose from fc1, fc"):
        next(check_session(start(), layers=("fc", "fc7"), samples=1, num_images=4))


def test_one_image_is_too_few_for_batch_norm_and_that_is_said(start: Start) -> None:
    session = start()
    session.model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(192), nn.Linear(192, 3))
    with pytest.raises(ConfigError, match="use at least 2"):
        next(check_session(session, samples=1, num_images=1))
