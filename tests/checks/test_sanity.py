import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from cnn_train.checks.sanity import (
    NEAR_CHANCE,
    InitialLoss,
    check_gradients,
    check_initial_loss,
    check_overfitting,
    check_regularization,
    check_sanity,
    few_images,
    measure_initial_loss,
)
from cnn_train.data.batches import plan_epoch
from cnn_train.errors import ConfigError
from cnn_train.training.fit import fit
from cnn_train.training.loop import Forward
from cnn_train.training.session import Session

Start = Callable[..., Session]

DROPOUT_NET = {"name": "wide_resnet", "depth": 10, "width": 1, "dropout": 0.3}


class Ignoring(nn.Module):
    """Has two layers and uses one, or what ``change`` makes of its output."""

    def __init__(self, change: Forward) -> None:
        super().__init__()
        self.used, self.unused = nn.Linear(192, 3), nn.Linear(192, 3)
        self.change = change

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return self.change(self.used(images_BCHW.flatten(1)))


@pytest.mark.parametrize("loss", ["hinge", "cross_entropy"])
def test_a_healthy_session_passes_every_check(start: Start, loss: str) -> None:
    findings = check_sanity(start(loss={"name": loss}))
    assert [one.outcome for one in findings] == ["passed"] * 4
    assert not any(one.meaning for one in findings)  # it is that of a failure


@pytest.mark.parametrize(("loss", "chance"), [("hinge", 2.0), ("cross_entropy", math.log(3))])
def test_the_first_loss_is_compared_with_the_loss_of_guessing(
    start: Start, loss: str, chance: float
) -> None:
    first = measure_initial_loss(start(loss={"name": loss}))
    assert first.chance == pytest.approx(chance)
    assert first.loss == pytest.approx(chance, rel=0.25)


def test_the_first_loss_is_that_of_the_first_minibatch_of_the_run(start: Start) -> None:
    first = measure_initial_loss(start())
    assert first.loss == next(start().train_rest_of_epoch()).loss


@pytest.mark.parametrize(
    ("loss", "is_near"),
    [(2.0 * (1 + NEAR_CHANCE), True), (2.6, False), (1.4, False), (math.nan, False)],
)
def test_a_first_loss_too_far_above_or_below_chance_or_no_number_is_not_near_it(
    loss: float, is_near: bool
) -> None:
    assert InitialLoss(loss, 2.0).is_near_chance == is_near


def test_scores_that_start_far_apart_fail_the_first_check(start: Start) -> None:
    session = start()
    session.model.get_parameter("fc.weight").data.mul_(1000)
    assert check_initial_loss(session).failed


def test_weights_of_another_model_may_start_below_chance_but_not_above(start: Start) -> None:
    session = start(epochs=20, augment={"translate": 0, "cutout": 0})
    list(fit(session))
    assert measure_initial_loss(session).loss < 0.5
    assert check_initial_loss(session).failed
    assert not check_initial_loss(session, starts_anew=False).failed
    session.model.get_parameter("fc.weight").data.mul_(-100)
    assert check_initial_loss(session, starts_anew=False).failed


@pytest.mark.parametrize(
    ("change", "found", "meaning"),
    [
        (lambda scores: scores, "zero in unused.weight, unused.bias", "a layer is dead"),
        (
            lambda scores: scores.detach() + 0 * scores,
            "zero in used.weight, used.bias, unused.weight, unused.bias",
            "a layer is dead",
        ),
        (lambda scores: (scores - scores).sqrt(), "not finite in used.weight, used.bias", "0/0"),
    ],
)
def test_a_gradient_that_is_lacking_zero_or_not_finite_is_found_and_its_tensor_named(
    start: Start, change: Forward, found: str, meaning: str
) -> None:
    session = start()
    session.model = Ignoring(change)
    finding = check_gradients(session)
    assert finding.failed and finding.found == found and meaning in finding.meaning


class Unmoved(nn.Module):
    """Has a bias whose gradient is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(192, 3)

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return images_BCHW.flatten(1) @ self.fc.weight.T + self.fc.bias.detach()


def test_a_bias_alone_that_is_zero_is_called_no_dead_layer(start: Start) -> None:
    session = start()
    session.model = Unmoved()
    finding = check_gradients(session)
    assert finding.failed and finding.found == "zero in fc.bias"
    assert "no layer is dead" in finding.meaning and "gradcheck" in finding.meaning


def test_a_bias_on_which_balanced_classes_pull_equally_is_right(start: Start) -> None:
    session = start(loss={"name": "hinge"})
    images = session.batches.images
    index_N = torch.cat([(images.labels_N == label).nonzero()[:4, 0] for label in range(2)])
    plan = plan_epoch(8, 8)
    batches = session.batches
    balanced = replace(batches, images=images.select(index_N), plan=lambda epoch: plan)
    session.batches, layer = balanced, nn.Linear(192, 2)
    layer.weight.data.mul_(1e-3)  # all margins are violated
    session.model = nn.Sequential(nn.Flatten(), layer)
    batch = next(balanced.epoch(0))
    session.loss_fn(session.model(batch.images_BCHW), batch.labels_B).backward()
    assert layer.bias.grad is not None and not layer.bias.grad.any()
    assert check_gradients(session).outcome == "passed"


def test_lambda_raises_the_loss_ten_times_as_much_with_ten_lambda(start: Start) -> None:
    session = start(regularization={"kind": "l2", "strength": 0.1})
    finding = check_regularization(session)
    squares = sum((p**2).sum().item() for p in session.model.parameters() if p.ndim > 1)
    words = finding.found.split()
    assert float(words[1]) == pytest.approx(0.1 * squares, rel=1e-3)
    assert float(words[5]) == pytest.approx(squares, rel=1e-3)
    assert finding.outcome == "passed"


@pytest.mark.parametrize("section", [{"kind": "none"}, {"kind": "l1", "strength": 0}])
def test_without_lambda_that_check_is_skipped(start: Start, section: dict[str, object]) -> None:
    assert check_regularization(start(regularization=section)).outcome == "skipped"


def test_a_penalty_that_reaches_no_weight_fails(start: Start) -> None:
    session = start(regularization={"kind": "l2", "strength": 0.1})
    session.model = nn.Sequential(nn.Flatten(), nn.LayerNorm(192))
    assert check_regularization(session).failed


def test_a_network_that_cannot_tell_images_apart_fails_to_learn_twenty(start: Start) -> None:
    session = start()
    session.model = Ignoring(lambda scores: scores.mean(0, keepdim=True).expand_as(scores))
    finding = check_overfitting(session)
    assert finding.failed and finding.check == "20 images by heart"


def test_label_smoothing_which_keeps_the_loss_high_is_left_out(start: Start) -> None:
    smooth = {"name": "cross_entropy", "label_smoothing": 0.8}
    finding = check_overfitting(start(loss=smooth))
    assert finding.outcome == "passed"
    assert finding == check_overfitting(start())


def test_the_twenty_images_come_from_all_over_a_set_that_is_sorted_by_class(start: Start) -> None:
    session = start()
    images = session.batches.images
    in_order = images.select(images.labels_N.argsort())
    session.batches = replace(session.batches, images=in_order)
    batch = few_images(session)
    assert batch.labels_B.bincount().tolist() == pytest.approx([20 / 3] * 3, abs=1)
    assert torch.equal(batch.labels_B.sort().values, batch.labels_B)


def test_wrong_gradients_do_not_learn_twenty_images(start: Start) -> None:
    session = start()
    session.model = Ignoring(lambda scores: scores.detach() + scores.detach() - scores)
    assert check_overfitting(session).failed


@pytest.mark.parametrize("model", [None, DROPOUT_NET], ids=["mlp", "with dropout and batch norm"])
def test_the_run_has_the_same_bits_with_and_without_the_checks(
    start: Start, model: dict[str, object] | None
) -> None:
    sections = {"model": model} if model else {}
    plain, checked = start(epochs=1, **sections), start(epochs=1, **sections)
    before = {name: value.clone() for name, value in checked.model.state_dict().items()}
    torch.manual_seed(7)
    state = torch.get_rng_state()
    check_sanity(checked)
    measure_initial_loss(checked)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(checked.model.state_dict()[n], value) for n, value in before.items())
    assert all(parameter.grad is None for parameter in checked.model.parameters())
    list(fit(plain))
    list(fit(checked))
    expected = plain.model.state_dict()
    assert all(torch.equal(expected[n], v) for n, v in checked.model.state_dict().items())


def test_a_minibatch_of_one_image_is_refused_where_batch_norm_needs_more(start: Start) -> None:
    session = start(batch_size=1)
    session.model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(192), nn.Linear(192, 3))
    with pytest.raises(ConfigError, match="use at least 2"):
        measure_initial_loss(session)


@pytest.mark.parametrize("strength", [100.0, 1e30, 1e300])
def test_a_lambda_that_outweighs_the_loss_is_named(start: Start, strength: float) -> None:
    finding = check_regularization(start(regularization={"kind": "l2", "strength": strength}))
    assert finding.failed
    assert finding.meaning.startswith("regularization.strength (λ) is too large")


def test_a_gradient_that_overflows_only_together_with_lambdas_is_found(start: Start) -> None:
    session = start(regularization={"kind": "l2", "strength": 1e30})
    finding = check_gradients(session)
    assert finding.failed and "λR(W)" in finding.found
    assert finding.meaning.startswith("regularization.strength (λ) is too large")
