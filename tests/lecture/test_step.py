import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnn_train.errors import DivergedError
from cnn_train.lecture.step import take_step, with_one_update, with_rate_zero
from cnn_train.training.resuming import resume_session
from cnn_train.training.session import Session

Start = Callable[..., Session]

PLAIN = {"name": "sgd", "lr": 0.05, "momentum": 0}


def state_of(session: Session) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in session.model.named_parameters()}


@pytest.fixture
def first_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the session as the one step left it: the steps that are timed come after it."""
    monkeypatch.setattr("cnn_train.lecture.step.time_phases", lambda *_: {})


@pytest.mark.usefixtures("first_weights")
@pytest.mark.parametrize("loss", ["hinge", "cross_entropy"])
def test_under_plain_sgd_every_number_moves_by_minus_eta_g(start: Start, loss: str) -> None:
    """Against a gradient that is computed here, without the loop."""
    session, twin = (start(optimizer=PLAIN, loss={"name": loss}) for _ in range(2))
    batch = next(twin.batches.epoch(0))
    total = twin.loss_fn(twin.forward(batch.images_BCHW), batch.labels_B) + twin.penalty()
    gradients = torch.autograd.grad(total, list(twin.model.parameters()))
    lr = 0.05 * twin.schedule(0)
    expected = {
        name: torch.add(value, gradient, alpha=-lr)
        for (name, value), gradient in zip(state_of(twin).items(), gradients, strict=True)
    }
    taken = take_step(session, 3)
    after = state_of(session)
    assert all(torch.equal(after[name], value) for name, value in expected.items())
    assert taken.num_plain == taken.num_numbers == sum(value.numel() for value in after.values())
    assert taken.lr == lr
    assert taken.total == pytest.approx(float(total.detach()))


@pytest.mark.usefixtures("first_weights")
def test_the_step_is_the_one_that_the_run_would_make(start: Start) -> None:
    session, run = start(), start()
    tally = next(run.train_rest_of_epoch())
    taken = take_step(session, 1)
    after, expected = state_of(session), state_of(run)
    assert all(torch.equal(after[name], value) for name, value in expected.items())
    assert (taken.loss, taken.penalty) == (tally.loss, tally.penalty)
    assert taken.batch_size == 8 and taken.num_correct == int(tally.num_correct)


@pytest.mark.usefixtures("first_weights")
@pytest.mark.parametrize("done", [1, 2])
def test_from_a_checkpoint_it_is_the_very_step_that_the_run_makes_next(
    start: Start, done: int
) -> None:
    settings = {
        "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": False},
        "schedule": {"name": "cosine", "warmup_epochs": 1},
    }
    run, session = start(**settings), start(**settings)
    steps = run.train_rest_of_epoch()
    for position in range(done):
        run.progress.complete_update(position + 1, next(steps))
    resume_session(session, deepcopy(run.checkpoint()))  # else both would share their momenta
    next(steps)
    taken = take_step(session, 4)
    after, expected = state_of(session), state_of(run)
    assert all(torch.equal(after[name], value) for name, value in expected.items())
    assert (taken.step, taken.epoch, taken.warms_up, taken.is_over) == (done, 0, True, False)
    assert taken.lr == pytest.approx(0.05 * (done + 1) / len(run.batches.plan(0)))
    for entry in taken.entries:  # v ← μ v + g, θ ← θ − η v
        assert entry.velocity is not None
        velocity = 0.9 * entry.velocity + entry.gradient
        assert entry.after == pytest.approx(entry.before - taken.lr * velocity, abs=1e-7)


@pytest.mark.usefixtures("first_weights")
def test_of_a_run_that_is_over_the_rate_is_that_of_its_last_step(start: Start) -> None:
    session = start(epochs=2, schedule={"name": "linear"})
    last = session.pace.steps(2) - 1
    session.progress.epoch, session.progress.schedule_step = 2, last + 1
    taken = take_step(session, 1)
    assert taken.is_over and taken.lr_factor == session.schedule(last) > session.schedule(last + 1)


def test_other_optimisers_are_seen_to_move_otherwise(start: Start) -> None:
    for optimizer in ({"name": "sgd", "momentum": 0.9}, {"name": "adamw", "lr": 0.01}):
        assert take_step(start(optimizer=optimizer), 1).num_plain < 100, optimizer


def test_the_entries_shown_obey_the_rule_in_print(start: Start) -> None:
    taken = take_step(start(optimizer=PLAIN), 4)
    parameters = [entry.parameter for entry in taken.entries]
    assert parameters == ["fc1.weight", "fc1.bias", "fc.weight", "fc.bias"]
    for entry in taken.entries:
        assert entry.descent == -taken.lr * entry.gradient
        assert entry.after == pytest.approx(entry.before + entry.descent, abs=1e-7)
        assert entry.gradient != 0


def test_rates_of_single_layers_are_taken_into_account(start: Start) -> None:
    taken = take_step(start(optimizer=PLAIN | {"lr_factors": {"fc": 3.0}}), 4)
    ratios = [entry.descent / entry.gradient for entry in taken.entries]
    assert ratios[2] == pytest.approx(3 * ratios[0])
    assert taken.num_plain == taken.num_numbers


@pytest.mark.usefixtures("first_weights")
def test_where_a_gradient_is_clipped_the_true_one_is_shown_beside_it(start: Start) -> None:
    """Against the same step without clipping: only the update is another."""
    free = take_step(start(optimizer=PLAIN), 4)
    taken = take_step(start(optimizer=PLAIN, clip_grad_norm=1e-3), 4)
    assert free.clipped_norm is None and taken.clipped_norm == pytest.approx(1e-3, rel=1e-3)
    assert taken.gradient_norm == free.gradient_norm > 0.1
    norms = [layer.gradient_norm for layer in taken.layers if layer.gradient_norm is not None]
    assert math.hypot(*norms) == pytest.approx(taken.gradient_norm)
    share = taken.clipped_norm / taken.gradient_norm
    for entry, other in zip(taken.entries, free.entries, strict=True):
        assert entry.gradient == other.gradient == other.clipped_gradient
        assert entry.clipped_gradient == pytest.approx(share * entry.gradient, rel=1e-4)
        assert entry.descent == -taken.lr * entry.clipped_gradient
    for layer, unclipped in zip(taken.layers, free.layers, strict=True):
        assert layer.gradient_norm == unclipped.gradient_norm
        assert layer.output_gradient_rms == unclipped.output_gradient_rms
        if layer.update_norm is not None and layer.gradient_norm is not None:
            expected = taken.lr * share * layer.gradient_norm
            assert layer.update_norm == pytest.approx(expected, rel=0.05)  # float32 of θ
    assert taken.num_plain == taken.num_numbers


def test_a_gradient_that_is_short_enough_is_not_said_to_be_clipped(start: Start) -> None:
    taken = take_step(start(optimizer=PLAIN, clip_grad_norm=1e6), 1)
    assert taken.clipped_norm is None
    assert taken.entries[0].gradient == taken.entries[0].clipped_gradient


@pytest.mark.usefixtures("first_weights")
def test_sizes_of_outputs_and_weights_are_those_of_a_network_worked_by_hand(start: Start) -> None:
    """Scores s = 2x̄, ReLU, L = mean of s: dL/ds = 1/(B K) wherever s > 0."""

    class Doubling(nn.Linear):
        def forward(self, images_BCHW: Tensor) -> Tensor:
            return super().forward(images_BCHW.flatten(1))

    session = start(optimizer=PLAIN, regularization={"kind": "none"})
    linear = Doubling(192, 3)
    nn.init.constant_(linear.weight, 2.0)
    nn.init.zeros_(linear.bias)
    session.model = nn.Sequential(linear, nn.ReLU())
    session.loss_fn = lambda scores_BK, labels_B, reduction="mean": scores_BK.mean()
    session.optimizer = torch.optim.SGD(
        [{"params": session.model.parameters(), "initial_lr": 0.1}], lr=0.1
    )
    images_BCHW = next(session.batches.epoch(0)).images_BCHW
    sums_B = 2 * images_BCHW.flatten(1).sum(1)
    taken = take_step(session, 1)
    layer, relu = taken.layers
    assert (layer.kind, relu.kind) == ("Doubling", "ReLU")
    assert layer.output_rms == pytest.approx(sums_B.square().mean().sqrt().item(), rel=1e-5)
    assert layer.zeros == 0
    active = (sums_B > 0).float().mean().item()
    assert 0 < active < 1
    assert relu.zeros == pytest.approx(1 - active)
    assert relu.output_gradient_rms == pytest.approx(1 / 24)
    assert layer.output_gradient_rms == pytest.approx(math.sqrt(active) / 24)
    assert layer.weight_norm == pytest.approx(2 * math.sqrt(192 * 3))
    assert layer.gradient_norm is not None and layer.update_norm is not None
    assert layer.update_norm == pytest.approx(taken.lr * layer.gradient_norm, rel=1e-4)
    assert layer.update_ratio == pytest.approx(layer.update_norm / layer.weight_norm)
    assert relu.weight_norm is relu.update_ratio is None


def test_every_layer_of_the_summary_has_its_sizes_and_no_hook_is_left(start: Start) -> None:
    session = start()
    taken = take_step(session, 1)
    assert [layer.name for layer in taken.layers] == ["flatten", "fc1", "relu1", "dropout1", "fc"]
    assert all(not module._forward_hooks for module in session.model.modules())


def test_the_phases_of_a_step_are_timed(start: Start) -> None:
    seconds = take_step(start(), 1).phase_seconds
    assert list(seconds) == ["data", "forward", "backward", "optimizer", "metrics"]
    assert all(value >= 0 for value in seconds.values()) and seconds["backward"] > 0


@pytest.mark.usefixtures("first_weights")
@pytest.mark.parametrize("loss", ["hinge", "cross_entropy"])
def test_full_batch_descent_is_the_step_of_all_images_together(start: Start, loss: str) -> None:
    """Against SGD whose minibatch is all of them, and against a run's own epoch of descent."""
    same = {"loss": {"name": loss}, "augment": {"flip": "none", "translate": 0, "cutout": 0}}
    session, run = (start(optimizer={"name": "gd", "lr": 0.05}, **same) for _ in range(2))
    whole = take_step(start(optimizer=PLAIN, batch_size=32, **same), 4)
    advanced: list[int] = []
    taken = take_step(session, 4, advanced.append)
    for _ in run.train_rest_of_epoch():
        pass
    after, expected = state_of(session), state_of(run)
    assert all(torch.equal(after[name], value) for name, value in expected.items())
    assert (taken.batch_size, taken.num_pieces, taken.timed_images) == (32, 4, 8)
    assert (whole.batch_size, whole.num_pieces, whole.timed_images) == (32, 1, 32)
    assert taken.num_correct == whole.num_correct and advanced == [1, 1, 1, 1]
    for name in ("loss", "penalty", "total", "gradient_norm"):
        assert getattr(taken, name) == pytest.approx(getattr(whole, name), rel=1e-5), name
    assert taken.num_plain == taken.num_numbers
    sizes = ("output_rms", "zeros", "output_gradient_rms", "weight_norm", "update_norm")
    for layer, same_layer in zip(taken.layers, whole.layers, strict=True):
        for name in sizes:
            if (size := getattr(same_layer, name)) is not None:
                assert getattr(layer, name) == pytest.approx(size, rel=1e-4, abs=1e-9), name
    for entry, same_entry in zip(taken.entries, whole.entries, strict=True):
        assert entry.index == same_entry.index
        assert entry.gradient == pytest.approx(same_entry.gradient, rel=1e-4)


def test_the_steps_that_are_timed_leave_the_weights_where_they_are(start: Start) -> None:
    session = start(optimizer={"name": "gd", "lr": 0.05})
    timed = with_rate_zero(with_one_update(session))
    (piece,) = timed.batches.plan(0)
    assert (piece.share, piece.completes_update) == (1.0, True)
    before = state_of(session)
    for _ in timed.train_rest_of_epoch():
        pass
    assert all(torch.equal(value, before[name]) for name, value in state_of(session).items())


def test_a_step_after_which_the_loss_is_not_finite_is_shown_all_the_same(start: Start) -> None:
    sections = {"optimizer": PLAIN | {"lr": 1e30}, "regularization": {"kind": "l2"}}
    taken = take_step(start(**sections), 2)
    assert taken.diverges is not None and "choose a smaller rate" in taken.diverges
    assert taken.phase_seconds == {}
    small = take_step(start(optimizer=PLAIN, regularization={"kind": "l2"}), 2)
    assert small.diverges is None and small.phase_seconds
    assert (taken.loss, taken.penalty) == (small.loss, small.penalty)
    assert taken.entries[0].gradient == small.entries[0].gradient
    norms = [layer.update_norm for layer in taken.layers if layer.update_norm]
    assert all(1e20 < norm < math.inf for norm in norms)


@pytest.mark.parametrize(
    ("sections", "advice"),
    [
        ({"regularization": {"kind": "l2", "strength": 1e36}}, "choose a smaller λ"),
        ({"loss": {"name": "hinge", "margin": 1e38}}, "choose a smaller rate"),
    ],
)
def test_a_first_step_that_is_not_finite_is_refused(
    start: Start, sections: dict[str, Any], advice: str
) -> None:
    with pytest.raises(DivergedError, match=advice):
        take_step(start(**sections), 1)
