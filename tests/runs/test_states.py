import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import cnn_train.runs.states as run_checkpoints
from cnn_train.checkpoints.checkpoint import Checkpoint, load_checkpoint
from cnn_train.errors import CheckpointError, ResourceError
from cnn_train.machine.atomic_file import give_second_name
from cnn_train.metrics.best import RECORD_KEYS, BestBy
from cnn_train.runs.directory import RunDirectory
from cnn_train.runs.states import (
    FoundCheckpoint,
    go_back,
    load_newest,
    look_back,
    require_room,
    save_state,
)
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


def record(epoch: int, accuracy: float, best: int, attempt: int = 0) -> dict[str, float]:
    """Make the record of an epoch of ten updates; its seconds are those of one attempt alone."""
    return dict.fromkeys(RECORD_KEYS, 0.5) | {
        "epoch": epoch, "step": 10 * epoch + 10, "val_accuracy": accuracy,
        "val_loss": (0.9, 0.8, 0.6, 0.7, 0.7)[epoch], "seconds": 1 + attempt / 8,
        "best_epoch": best,
    }  # fmt: skip


FOUR_EPOCHS = [record(0, 0.3, 0), record(1, 0.5, 1), record(2, 0.4, 1), record(3, 0.6, 3)]


@pytest.fixture
def long_run(start: Callable[..., Session], run: RunDirectory) -> RunDirectory:
    """Save a run of four epochs, the last of them the best, and a state within each of them."""
    checkpoint = start().checkpoint()
    for step in range(0, 45, 5):
        epoch, half = divmod(step, 10)
        state = replace(
            checkpoint, step=step, epoch=epoch, position=half, records=FOUR_EPOCHS[:epoch]
        )
        is_best = not half and epoch in (1, 2, 4)
        save_state(state, run, 99, is_best=is_best)
    run.save_metrics(FOUR_EPOCHS)
    return run


def from_state(run: RunDirectory, name: str) -> FoundCheckpoint:
    return FoundCheckpoint(load_checkpoint(run.path / name), run.path / name)


@pytest.mark.parametrize(
    ("name", "missing", "best_epoch", "best"),
    [
        ("last.ckpt", [], 3, "last.ckpt"),
        ("step-00000030.ckpt", [], 1, "step-00000020.ckpt"),
        ("step-00000025.ckpt", [], 1, "step-00000020.ckpt"),
        ("step-00000020.ckpt", [], 1, "step-00000020.ckpt"),
        # Of the best surviving epoch nothing is left: the best of those that something is left of.
        ("step-00000030.ckpt", ["step-00000020.ckpt"], 2, "step-00000030.ckpt"),
        ("step-00000025.ckpt", ["step-00000020.ckpt"], 0, "step-00000010.ckpt"),
        ("step-00000025.ckpt", ["step-00000010.ckpt", "step-00000020.ckpt"], -1, None),
        ("step-00000005.ckpt", [], -1, None),
        ("step-00000000.ckpt", [], -1, None),
    ],
)  # fmt: skip
def test_set_back_to_any_state_a_run_has_the_best_checkpoint_that_is_left_or_none(
    long_run: RunDirectory, name: str, missing: list[str], best_epoch: int, best: str | None
) -> None:
    for gone in missing:
        (long_run.path / gone).unlink()
    state = from_state(long_run, name)
    files = {path.name: path.read_bytes() for path in long_run.path.iterdir()}
    way = look_back(long_run, state, "accuracy", anew=False)
    assert {path.name: path.read_bytes() for path in long_run.path.iterdir()} == files
    assert (way.best_epoch, way.best and way.best.name) == (best_epoch, best)
    assert way.epochs == range(state.checkpoint.epoch, 4)
    go_back(long_run, way)
    newest = long_run.state(state.checkpoint.step).name
    left = {name for name in files if name.startswith("step-") and name <= newest}
    assert {path.name for path in long_run.states.values()} == left
    assert load_newest(long_run).checkpoint.step == state.checkpoint.step
    assert long_run.best_checkpoint.exists() == (best is not None)
    if best:
        assert load_checkpoint(long_run.best_checkpoint).epoch == best_epoch + 1


def test_another_attempt_at_an_epoch_is_not_taken_for_it(long_run: RunDirectory) -> None:
    """As after a crash: best.ckpt and a state are of an epoch 2 that last.ckpt knows nothing of."""
    records = [*FOUR_EPOCHS[:1], record(1, 0.5, 1, attempt=1), record(2, 0.4, 1)]
    state = replace(load_checkpoint(long_run.state(30)), records=records)
    way = look_back(long_run, FoundCheckpoint(state, long_run.state(30)), "accuracy", anew=False)
    assert (way.best_epoch, way.best) == (2, long_run.state(30))


@pytest.mark.parametrize(
    ("name", "by", "best_epoch"),
    [
        ("step-00000030.ckpt", "loss", 2),
        ("step-00000030.ckpt", "accuracy", 1),
        ("last.ckpt", "loss", 2),
        ("last.ckpt", "accuracy", 3),
        ("last.ckpt", "macro_f1", 2),  # no record has it: the lower loss decides
    ],
)
def test_by_another_metric_the_best_epoch_is_chosen_anew(
    long_run: RunDirectory, name: str, by: BestBy, best_epoch: int
) -> None:
    way = look_back(long_run, from_state(long_run, name), by, anew=True)
    assert way.best_epoch == best_epoch


def test_killed_between_two_names_a_run_finds_its_best_again(
    long_run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state is saved and the last, when the power goes: best.ckpt is still an older one."""

    def kill(path: Path, name: Path) -> None:
        if name == long_run.best_checkpoint:
            raise KeyboardInterrupt
        give_second_name(path, name)

    state = load_checkpoint(long_run.last_checkpoint)
    better = replace(state, step=50, epoch=5, records=[*FOUR_EPOCHS, record(4, 0.7, 4)])
    monkeypatch.setattr(run_checkpoints, "give_second_name", kill)
    with pytest.raises(KeyboardInterrupt):
        save_state(better, long_run, 2, is_best=True)
    monkeypatch.undo()
    assert load_checkpoint(long_run.best_checkpoint).epoch == 4
    go_back(long_run, look_back(long_run, load_newest(long_run), "accuracy", anew=False))
    assert load_checkpoint(long_run.best_checkpoint).epoch == 5


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
