import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import cnn_train.runs.states as run_checkpoints
from cnn_train.checkpoints.checkpoint import Checkpoint, load_checkpoint
from cnn_train.errors import CheckpointError, ResourceError
from cnn_train.runs.directory import RunDirectory
from cnn_train.runs.states import load_newest, make_last, require_room, save_state
from cnn_train.training.session import Session


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path, "run")


@pytest.fixture
def save(start: Callable[..., Session], run: RunDirectory) -> Callable[..., None]:
    """Return a function that saves a state of a run after so many updates."""
    checkpoint = start().checkpoint()

    def save(step: int, keep: int = 2, *, is_best: bool = False) -> None:
        save_state(replace(checkpoint, step=step), run, keep, is_best=is_best)

    return save


def damage(path: Path) -> None:
    """Cut the file short, and with it every other name that it has."""
    path.write_bytes(path.read_bytes()[:-1])


def test_the_last_and_the_best_checkpoint_are_states_by_another_name(
    run: RunDirectory, save: Callable[..., None]
) -> None:
    save(1, is_best=True)
    save(2)
    assert list(run.states) == [1, 2]
    assert run.best_checkpoint.samefile(run.states[1])
    assert run.last_checkpoint.samefile(run.states[2])


def test_the_best_outlives_its_state(run: RunDirectory, save: Callable[..., None]) -> None:
    save(1, is_best=True)
    for step in (2, 3, 4):
        save(step)
    assert list(run.states) == [3, 4]
    assert load_checkpoint(run.best_checkpoint).step == 1


def test_files_that_the_run_did_not_write_stay(
    run: RunDirectory, save: Callable[..., None]
) -> None:
    foreign = [run.path / name for name in ("step-1.ckpt", "step-00000001.ckpt.bak", "my.ckpt")]
    for path in foreign:
        path.touch()
    for step in (2, 3, 4):
        save(step, keep=1)
    assert all(path.exists() for path in foreign)
    assert list(run.states) == [4]


def test_a_failing_save_names_the_last_good_checkpoint_and_removes_nothing(
    run: RunDirectory, save: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(checkpoint: Checkpoint, path: Path) -> None:
        raise ResourceError(f"{path}: disk full")

    save(1)
    save(2)
    monkeypatch.setattr(run_checkpoints, "save_checkpoint", fail)
    with pytest.raises(ResourceError, match=f"last good checkpoint: {run.last_checkpoint}"):
        save(3, keep=1)
    assert list(run.states) == [1, 2]
    assert load_newest(run).checkpoint.step == 2


def test_the_newest_good_state_is_found_behind_damaged_ones(
    run: RunDirectory, save: Callable[..., None]
) -> None:
    for step in (1, 2, 3):
        save(step, keep=3)
    assert load_newest(run).damaged == ()
    damage(run.states[3])
    damage(run.states[2])
    found = load_newest(run)
    assert found.checkpoint.step == 1
    assert found.path == run.states[1]
    state_3_by_another_name = run.last_checkpoint
    assert [complaint.split(":")[0] for complaint in found.damaged] == [
        str(path) for path in (state_3_by_another_name, run.states[2])
    ]


def test_a_run_that_lost_its_last_checkpoint_goes_on_from_its_states(
    run: RunDirectory, save: Callable[..., None]
) -> None:
    save(1)
    run.last_checkpoint.unlink()
    assert run.can_go_on
    assert load_newest(run).checkpoint.step == 1


def test_a_run_without_a_good_state_says_so_for_each(
    run: RunDirectory, save: Callable[..., None]
) -> None:
    save(1)
    save(2)
    damage(run.states[1])
    damage(run.states[2])
    with pytest.raises(CheckpointError, match=r"last\.ckpt.*\n.*step-00000001\.ckpt"):
        load_newest(run)


def test_a_run_may_be_set_back(run: RunDirectory, save: Callable[..., None]) -> None:
    save(1)
    save(2)
    make_last(run, run.states[1])
    assert load_newest(run).checkpoint.step == 1
    make_last(run, run.last_checkpoint)  # already is
    assert load_newest(run).checkpoint.step == 1


def test_a_disk_too_small_for_what_will_be_kept_is_refused_at_once(
    run: RunDirectory, save: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    save(0)
    size = run.last_checkpoint.stat().st_size
    usage = shutil.disk_usage(run.path)

    def room_for(num_bytes: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=num_bytes))

    room_for(4 * size)
    require_room(run, 2, is_fresh=False)
    with pytest.raises(ResourceError, match="disk almost full"):
        require_room(run, 2, is_fresh=True)  # an optimizer's state is still to come
    room_for(4 * size - 1)
    with pytest.raises(ResourceError, match="disk almost full"):
        require_room(run, 2, is_fresh=False)
