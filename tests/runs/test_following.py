"""A run is followed by its files; what happens meanwhile happens when the follower waits."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from cnn_train.errors import CheckpointError
from cnn_train.runs.directory import RunDirectory
from cnn_train.runs.following import follow
from cnn_train.runs.lock import is_locked


def records(*losses: float) -> list[dict[str, float]]:
    return [{"epoch": epoch, "val_loss": loss} for epoch, loss in enumerate(losses)]


def follow_through(run: RunDirectory, *events: Callable[[], object]) -> list[float]:
    """Follow a run; each time that the follower waits, the next thing happens."""
    coming = iter(events)
    return [record["val_loss"] for record in follow(run, lambda: next(coming)())]


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path, "a")


def test_epochs_are_told_once_and_the_end_of_the_lock_ends_it(run: RunDirectory) -> None:
    with ExitStack() as training:
        training.enter_context(run.locked())
        run.save_metrics(records(3))

        def end() -> None:
            run.save_metrics(records(3, 2, 1, 0))
            training.close()

        told = follow_through(run, lambda: run.save_metrics(records(3, 2)), lambda: None, end)
    assert told == [3, 2, 1, 0]


def test_a_run_that_nobody_trains_is_told_to_its_end_without_waiting(run: RunDirectory) -> None:
    assert follow_through(run) == []
    run.save_metrics(records(3, 2))
    assert follow_through(run) == [3, 2]


def test_of_a_run_that_was_set_back_the_new_epochs_are_told(run: RunDirectory) -> None:
    with ExitStack() as training:
        training.enter_context(run.locked())
        run.save_metrics(records(5, 4, 3))

        def end() -> None:
            run.save_metrics(records(5, 9, 8))
            training.close()

        assert follow_through(run, lambda: run.save_metrics(records(5, 9)), end) == [5, 4, 3, 9, 8]


def test_damage_ends_it(run: RunDirectory) -> None:
    run.metrics.write_text('{"epoch": null}\n')
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl"):
        follow_through(run)


def test_asking_for_the_lock_neither_takes_it_nor_makes_one(run: RunDirectory) -> None:
    assert not is_locked(run.path)
    assert list(run.path.iterdir()) == []
    with run.locked():
        assert is_locked(run.path)
    assert not is_locked(run.path)
    with run.locked():
        pass
