import time
from collections.abc import Callable
from itertools import islice

import pytest
from torch import Tensor

from cnn_train.checks.profile import PHASES, PhaseClock, profile_step, time_phases
from cnn_train.data.image_set import ImageSet
from cnn_train.experiment import ExperimentConfig
from cnn_train.machine.device import Device
from cnn_train.training.building import build_session
from cnn_train.training.session import Session
from cnn_train.training.steps import endless_steps

passed_seconds: list[int] = []
"""The time that only the slow phases of these tests take."""


def take_time() -> None:
    passed_seconds.append(1)


Start = Callable[..., Session]


def slow_down(session: Session, phase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make one phase of the session's steps the only one that takes time: a second."""
    monkeypatch.setattr("cnn_train.checks.profile.now", lambda device: sum(passed_seconds))

    def slowly(call: Callable[..., object]) -> Callable[..., object]:
        def slow_call(*arguments: object, **settings: object) -> object:
            take_time()
            return call(*arguments, **settings)

        return slow_call

    if phase == "data":
        kind = type(session.batches.normalization)
        monkeypatch.setattr(kind, "__call__", slowly(kind.__call__))
    elif phase == "optimizer":
        session.optimizer.register_step_post_hook(lambda *_: take_time())
    elif phase == "metrics":
        monkeypatch.setattr("cnn_train.training.loop.Tally.of", slowly(session.progress.partial.of))
    elif phase == "forward":
        session.forward = slowly(session.forward)
    else:
        forward = session.forward

        def with_slow_gradient(images_BCHW: Tensor) -> Tensor:
            scores_BK = forward(images_BCHW)
            scores_BK.register_hook(lambda gradient: take_time())
            return scores_BK

        session.forward = with_slow_gradient


@pytest.mark.parametrize("phase", PHASES)
def test_time_spent_in_a_phase_is_charged_to_that_phase_alone(
    start: Start, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    session = start()
    slow_down(session, phase, monkeypatch)
    seconds = time_phases(session, 3)
    assert tuple(seconds) == tuple(PHASES)
    assert {name: value for name, value in seconds.items() if value} == {phase: 1}


def test_the_phases_add_up_to_the_step(start: Start) -> None:
    session = start()
    clock = PhaseClock(session.device.torch_device)
    with clock.wrapped_around(session) as steps:
        next(steps)
        started = time.perf_counter()
        seconds = clock.time(steps)
        whole = time.perf_counter() - started
    assert all(value >= 0 for value in seconds.values())
    assert whole / 2 < sum(seconds.values()) <= whole


def test_the_clock_leaves_no_hook_behind(start: Start) -> None:
    session = start()
    time_phases(session, 1)
    assert not session.optimizer._optimizer_step_pre_hooks
    assert not session.optimizer._optimizer_step_post_hooks


def test_without_an_update_the_optimizer_takes_no_time(start: Start) -> None:
    session = start(optimizer={"name": "gd", "lr": 0.1})
    assert time_phases(session, 3)["optimizer"] == 0


def test_steps_go_on_beyond_the_end_of_the_epoch_and_of_the_run(start: Start) -> None:
    session = start(epochs=1)  # four minibatches
    sizes = [tally.num_examples for tally in islice(endless_steps(session), 11)]
    assert sizes == [8] * 11


def test_a_profile_says_what_a_step_costs(start: Start) -> None:
    session = start()
    measured = profile_step(session, 4)
    rate = measured.batch_size / measured.step_seconds
    assert measured.images_per_second == pytest.approx(rate)
    flops = 2 * 8 * (2 * 3 * 64 + 3 * 3)  # hidden: 192 inputs, 8 units; scores: 3 classes
    assert measured.flops_per_image.training == flops
    assert measured.tflops == pytest.approx(measured.images_per_second * flops / 1e12)
    assert {"matrix product", "optimizer"} <= set(measured.group_seconds)
    own = sum(one.seconds for one in measured.operators if one.group == "matrix product")
    assert measured.group_seconds["matrix product"] == pytest.approx(own)


def test_convolutions_and_their_gradients_are_told_apart(
    make_config: Callable[..., ExperimentConfig], make_images: Callable[..., ImageSet], cpu: Device
) -> None:
    config = make_config(model={"name": "resnet20"})
    session = build_session(config, make_images(16), make_images(8), cpu)
    found = profile_step(session, 1).group_seconds
    expected = {"convolution forward", "convolution backward", "normalisation", "activation"}
    assert expected <= set(found)
    assert list(found.values()) == sorted(found.values(), reverse=True)
