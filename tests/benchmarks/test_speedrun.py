from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.bench import Bench
from benchmarks.speedrun import VIEWS, OtherCommand, Speedrun

from cnn_train.data.image_set import ImageSet
from cnn_train.errors import UsageError
from cnn_train.experiment import ExperimentConfig
from cnn_train.machine.device import Device
from cnn_train.training.session import Session


@pytest.fixture
def bench(cpu: Device, tmp_path: Path) -> Bench:
    return Bench(cpu, quick=True, repeats=1, scratch=tmp_path)


def test_another_command_is_timed_and_its_last_number_kept() -> None:
    other = OtherCommand("sleep 0.1; echo 7 first; echo seed 3 accuracy 94.5 percent")
    assert other.seconds() >= 0.1
    assert other.numbers == [94.5]


def test_another_command_may_say_nothing() -> None:
    other = OtherCommand("true")
    other.seconds()
    assert other.numbers == []


def test_another_command_that_fails_is_an_error_of_one_line() -> None:
    with pytest.raises(UsageError, match=r"^--beside: exit code 3: no such data$"):
        OtherCommand("echo trying >&2; echo no such data >&2; exit 3").seconds()


def test_the_clock_stops_before_the_last_validation(
    bench: Bench,
    make_config: Callable[..., ExperimentConfig],
    make_images: Callable[..., ImageSet],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every look at the clock is one second here; validation makes it a hundred."""
    clock = [0.0]

    def tick(device: object) -> float:
        clock[0] += 1
        return clock[0]

    validate = Session.validate

    def slowly(session: Session, *options: object) -> object:
        clock[0] += 100
        return validate(session, *options)  # type: ignore[arg-type]

    monkeypatch.setattr("benchmarks.speedrun.now", tick)
    monkeypatch.setattr(Session, "validate", slowly)
    images = make_images(16), make_images(8, seed=1)
    assert Speedrun(bench, make_config(epochs=1), images).seconds() == 1
    assert Speedrun(bench, make_config(epochs=3), images).seconds() == 100 + 100 + 3


def test_a_speedrun_reports_accuracy_with_every_view_and_a_seed_of_its_own(
    bench: Bench, make_config: Callable[..., ExperimentConfig], make_images: Callable[..., ImageSet]
) -> None:
    run = Speedrun(bench, make_config(epochs=2), (make_images(16), make_images(9, seed=1)))
    run.seconds()
    run.seconds()
    assert list(run.accuracies) == list(VIEWS)
    assert all(len(values) == 2 for values in run.accuracies.values())
    assert run.flops == 2 * 16 * 2 * 8 * (2 * 192 + 3 * 3)  # epochs, images, the network's work
