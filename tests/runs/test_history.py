"""States that stay: their folder, their names, and what else happens to a run that has some."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cnn_train.checkpoints.checkpoint import load_checkpoint
from cnn_train.checkpoints.inspection import verify_checkpoints
from cnn_train.errors import CheckpointError, ResourceError
from cnn_train.metrics.best import RECORD_KEYS
from cnn_train.runs.directory import RunDirectory, find_checkpoint, find_run
from cnn_train.runs.history import run_folder, split_step
from cnn_train.runs.states import FoundCheckpoint, go_back, load_newest, look_back, save_state
from cnn_train.runs.tidying import spare_states
from cnn_train.training.session import Session


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    run = RunDirectory.create(tmp_path, "run")
    run.resolved_config.touch()
    return run


@pytest.fixture
def save(start: Callable[..., Session], run: RunDirectory) -> Callable[..., None]:
    """Return a function that saves a state of a run after so many updates."""
    checkpoint = start().checkpoint()

    def save(step: int, *, stays: bool = False, is_best: bool = False) -> None:
        save_state(replace(checkpoint, step=step), run, 2, is_best=is_best, stays=stays)

    return save


def test_a_state_that_stays_is_a_second_name_and_outlives_all_others(
    run: RunDirectory, save: Callable[..., None]
) -> None:
    save(1, stays=True)
    assert run.history[1].samefile(run.states[1]) and run.history[1].samefile(run.last_checkpoint)
    for step in (2, 3, 4):
        save(step, stays=step == 3)
    assert list(run.states) == [3, 4] and list(run.history) == [1, 3]
    assert list(run.every_state) == [1, 3, 4]
    assert run.every_state[3] == run.states[3]
    assert load_checkpoint(run.history[1]).step == 1


def test_killed_before_the_run_knows_of_a_state_its_history_has_it(
    run: RunDirectory, save: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a run that goes on after the state would never make it again."""
    named: list[Path] = []
    monkeypatch.setattr(
        "cnn_train.runs.states.give_second_name", lambda path, name: named.append(name)
    )
    save(5, stays=True, is_best=True)
    assert named == [run.kept(5), run.last_checkpoint, run.best_checkpoint]


def test_a_run_is_asked_for_a_state_by_its_update_and_lists_those_there_are(
    run: RunDirectory, save: Callable[..., None], tmp_path: Path
) -> None:
    for step in (10, 20, 30):
        save(step, stays=step == 10, is_best=True)
    assert find_checkpoint(Path(f"{run.path}@10")) == run.history[10]
    assert find_checkpoint(tmp_path / "latest@20").samefile(run.states[20])
    with pytest.raises(CheckpointError, match=r"@7: no state of update 7 .* are 10, 20, 30 \("):
        find_checkpoint(Path(f"{run.path}@7"))
    with pytest.raises(CheckpointError, match="absent: no run with a checkpoint"):
        find_checkpoint(tmp_path / "absent@7")


def test_a_step_is_a_number_behind_the_last_sign_and_a_file_so_called_has_none(
    tmp_path: Path,
) -> None:
    assert split_step(Path("a@b@12")) == (Path("a@b"), 12)
    for word in ("runs/latest", "a@", "a@x", "a@-1", "@3", "a@1/best.ckpt"):
        assert split_step(Path(word)) == (Path(word), None)
    (tmp_path / "model@3").touch()
    assert split_step(tmp_path / "model@3") == (tmp_path / "model@3", None)


def test_a_file_of_the_history_belongs_to_its_run(
    run: RunDirectory, save: Callable[..., None]
) -> None:
    save(1, stays=True)
    assert find_run(run.history[1]).path == run.path.resolve()
    assert run_folder(run.best_checkpoint) == run.path
    assert run_folder(Path("history/mine.ckpt")) == Path("history")  # somebody's own folder


def test_without_any_other_good_state_a_run_goes_on_from_its_history(
    run: RunDirectory, save: Callable[..., None]
) -> None:
    save(1, stays=True)
    for step in (2, 3, 4):
        save(step)
    for path in run.states.values():
        path.write_bytes(b"damaged")
    found = load_newest(run)
    assert (found.path, len(found.damaged)) == (run.history[1], 2)
    for path in (*run.states.values(), run.last_checkpoint):
        path.unlink()
    assert run.can_go_on and load_newest(run).checkpoint.step == 1


def test_set_back_to_a_state_that_stayed_later_ones_go_and_the_best_is_found_there(
    run: RunDirectory, start: Callable[..., Session]
) -> None:
    records = [
        dict.fromkeys(RECORD_KEYS, 0.5) | {"epoch": e, "step": 10 * e + 10, "best_epoch": best}
        for e, best in enumerate((0, 0, 2))
    ]
    for step, epoch in ((0, 0), (10, 1), (15, 1), (20, 2), (30, 3)):
        state = replace(start().checkpoint(), step=step, epoch=epoch, records=records[:epoch])
        state = replace(state, position=step % 10)
        save_state(state, run, 1, is_best=step in (10, 30), stays=step in (0, 10, 15, 30))
    state = FoundCheckpoint(load_checkpoint(run.history[15]), run.history[15])
    way = look_back(run, state, "accuracy", anew=False)
    assert way.later == (run.states[30], run.history[30])
    assert (way.best_epoch, way.best) == (0, run.history[10])
    go_back(run, way)
    assert list(run.history) == [0, 10, 15] and not run.states
    assert run.last_checkpoint.samefile(run.history[15])
    assert run.best_checkpoint.samefile(run.history[10])


def test_tidying_leaves_the_history_and_verifying_reads_it(
    run: RunDirectory, save: Callable[..., None]
) -> None:
    save(1, is_best=True)
    save(2, stays=True)
    save(3)
    save_state(replace(load_checkpoint(run.last_checkpoint), step=4), run, 9, is_best=False)
    assert spare_states(run) == [run.states[3]]  # 1 is the best, 2 stays, 4 is the last
    run.kept(9).write_bytes(b"no checkpoint")
    verdicts = {verdict.path: verdict.ok for verdict in verify_checkpoints([run.path])}
    assert verdicts[str(run.history[2])] and not verdicts[str(run.kept(9))]


def test_what_lies_in_the_place_of_the_history_is_named_or_passed_over(
    run: RunDirectory, save: Callable[..., None]
) -> None:
    (run.path / "history").touch()
    save(1)
    assert run.history == {} and list(run.every_state) == [1]
    with pytest.raises(ResourceError, match=r"history: cannot write .* last good checkpoint: "):
        save(2, stays=True)
    assert load_newest(run).checkpoint.step == 1
