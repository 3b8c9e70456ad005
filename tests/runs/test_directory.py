import os
import shlex
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cnn_train.errors import CheckpointError, LockedError, ResourceError, UsageError
from cnn_train.runs.directory import (
    LATEST,
    RunDirectory,
    find_checkpoint,
    find_run,
    latest_best_checkpoint,
    list_runs,
    newest_run,
)


def make_run(root: Path, name: str = "run", *files: str) -> RunDirectory:
    """Make a run that has a resolved config and the named files, all empty."""
    run = RunDirectory.create(root, name)
    for file in ("resolved.yaml", *files):
        (run.path / file).touch()
    return run


def test_twenty_runs_started_in_the_same_second_have_twenty_directories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "strftime", lambda form: "20260101-000000")
    with ThreadPoolExecutor(20) as pool:
        runs = list(pool.map(lambda _: RunDirectory.create(tmp_path, "same"), range(20)))
    assert len({run.path for run in runs}) == 20
    assert all(run.path.is_dir() for run in runs)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_taken_name_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = iter(["aaaa", "11111111", "aaaa", "aaaa", "bbbb", "22222222"])
    monkeypatch.setattr(time, "strftime", lambda form: "now")
    monkeypatch.setattr("secrets.token_hex", lambda num_bytes: next(tokens))
    first, second = (RunDirectory.create(tmp_path, "x") for _ in range(2))
    assert (first.path.name, second.path.name) == ("x-now-aaaa", "x-now-bbbb")


def test_latest_points_at_the_newest_run_and_can_be_moved(tmp_path: Path) -> None:
    first, second = RunDirectory.create(tmp_path, "a"), RunDirectory.create(tmp_path, "b")
    assert (tmp_path / LATEST).resolve() == second.path.resolve()
    first.mark_latest()
    assert (tmp_path / LATEST).resolve() == first.path.resolve()
    assert not (tmp_path / LATEST).readlink().is_absolute()  # the folder may be moved


def test_a_file_system_without_links_costs_only_the_latest_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: str) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    run = RunDirectory.create(tmp_path, "a")
    assert list(tmp_path.iterdir()) == [run.path]


@pytest.mark.parametrize("name", ["a/b", "/abs", "a\\b", "", ".", "..", ".hidden", "../up"])
def test_a_name_that_is_no_plain_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="--name"):
        RunDirectory.create(tmp_path / "runs", name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["with space", "Läufe/実験", "a'b\"c", "x" * 200])
def test_any_folder_name_will_do(tmp_path: Path, folder: str) -> None:
    run = make_run(tmp_path / folder, "naïve run 1", "last.ckpt")
    run.save_metrics([{"val_accuracy": 0.5}])
    assert run.path.name.startswith("naïve run 1-")
    assert [found.path for found in list_runs(tmp_path / folder)] == [run.path]
    assert find_run(run.path).load_metrics() == [{"val_accuracy": 0.5}]


def test_a_root_that_is_a_file_is_refused_by_name(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    root.touch()
    with pytest.raises(UsageError, match=f"--run-root {root}: cannot make a run directory"):
        RunDirectory.create(root, "a")


def test_metrics_are_read_as_they_were_written(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    assert run.load_metrics() == []
    records = [{"epoch": 0, "val_loss": 0.1 + 0.2}, {"epoch": 1, "val_loss": 1e-300}]
    run.save_metrics(records)
    assert run.load_metrics() == records
    assert len(run.metrics.read_text().splitlines()) == 2


def test_a_run_is_found_by_its_directory_by_latest_or_by_a_file_in_it(tmp_path: Path) -> None:
    run = make_run(tmp_path, "a", "last.ckpt")
    for path in (run.path, tmp_path / LATEST, run.last_checkpoint):
        assert find_run(path).path == run.path.resolve()


def test_a_path_without_a_checkpoint_is_no_run(tmp_path: Path) -> None:
    empty = make_run(tmp_path)
    for path in (empty.path, tmp_path / "absent", empty.path / "absent.ckpt", tmp_path):
        with pytest.raises(CheckpointError, match="no run with a checkpoint"):
            find_run(path)


def test_a_file_of_weights_is_no_run_but_can_start_one(tmp_path: Path) -> None:
    (tmp_path / "it's.ckpt").touch()
    for path in (tmp_path / "it's.ckpt", Path("pretrained:speedrun")):
        with pytest.raises(CheckpointError) as refused:
            find_run(path)
        assert str(refused.value).startswith(f"{path}: no run with a checkpoint; start a new run")
        assert shlex.split(str(refused.value).partition("weights: ")[2])[-1] == str(path)


def test_the_checkpoint_of_a_run_is_its_best_and_never_untrained_weights(tmp_path: Path) -> None:
    run = make_run(tmp_path, "a")
    with pytest.raises(CheckpointError, match="no checkpoint in it"):
        find_checkpoint(run.path)
    run.last_checkpoint.touch()  # written before the first update
    with pytest.raises(CheckpointError, match="until an epoch is complete"):
        find_checkpoint(run.path)
    run.best_checkpoint.touch()
    assert find_checkpoint(run.path) == run.best_checkpoint
    assert find_checkpoint(run.last_checkpoint) == run.last_checkpoint


def test_the_default_checkpoint_is_the_best_of_the_run_that_trained_last(tmp_path: Path) -> None:
    assert latest_best_checkpoint(tmp_path) is None
    first = make_run(tmp_path, "a", "last.ckpt", "best.ckpt")
    second = make_run(tmp_path, "b", "last.ckpt", "best.ckpt")
    assert latest_best_checkpoint(tmp_path) == second.best_checkpoint
    first.mark_latest()  # as `fit --resume` does
    assert latest_best_checkpoint(tmp_path) == first.best_checkpoint


def test_a_run_that_has_not_saved_yet_is_passed_over(tmp_path: Path) -> None:
    trained = make_run(tmp_path, "a", "last.ckpt", "best.ckpt")
    make_run(tmp_path, "b")
    assert latest_best_checkpoint(tmp_path) == trained.best_checkpoint


def test_runs_are_listed_oldest_first_without_latest_and_without_strangers(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "absent") == []
    runs = [make_run(tmp_path, name) for name in ("c", "a", "b")]
    for age, run in enumerate(runs):
        os.utime(run.resolved_config, (age, age))
    (tmp_path / "notes").mkdir()
    (tmp_path / "file.txt").touch()
    assert [run.path for run in list_runs(tmp_path)] == [run.path for run in runs]


def test_a_run_that_another_process_trains_in_is_locked_and_its_pid_named(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    refused = pytest.raises(LockedError, match=f"locked by process {os.getpid()}")
    with run.locked(), refused, RunDirectory(run.path).locked():
        pass
    with run.locked():  # free again
        pass


def test_a_disk_that_refuses_the_note_of_the_holder_does_not_end_the_run(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (run.path / ".lock-holder").mkdir()  # no file can be written there, nor removed
    refused = pytest.raises(LockedError)
    with run.locked():
        (run.path / ".lock-holder").rmdir()
        with refused as found, RunDirectory(run.path).locked():
            pass
    assert "locked by process unknown" in str(found.value)


def test_a_torn_line_of_metrics_ends_what_is_read(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.save_metrics([{"epoch": 0}, {"epoch": 1}])
    whole = run.metrics.read_bytes()
    for cut in range(len(whole)):
        run.metrics.write_bytes(whole[:cut])
        assert run.load_metrics() in ([], [{"epoch": 0}], [{"epoch": 0}, {"epoch": 1}])
    run.metrics.write_bytes(whole[:-3] + b"\xff")
    assert run.load_metrics() == [{"epoch": 0}]
    for edited in (whole[:-1], whole + b"\n", whole.replace(b"\n", b"\n\n"), whole[:-1] + b"\r\n"):
        run.metrics.write_bytes(edited)
        assert run.load_metrics() == [{"epoch": 0}, {"epoch": 1}]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"epoch": 0}\n{"epoch": NaN}\n', r": \[1\]\.epoch: Input should be a finite number"),
        (b'{"epoch": 0}\n{"epoch": 1e400}\n', "finite"),
        (b'{"epoch": true}\n', "valid number"),
        (b'{"epoch": "1"}\n', "valid number"),
        (b"[1]\n", "should be an object"),
        (b'{"epoch": 0}\n{"epo\n{"epoch": 2}\n', ": Invalid JSON"),
        (b"[" * 100_000 + b"\n", "recursion"),
        (b"\xff\n", "Invalid JSON"),
        (bytes(10_000_001), "larger than 10 MB"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_metrics_that_are_no_records_of_numbers_are_refused_by_their_place(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    run = RunDirectory(tmp_path)
    run.metrics.write_bytes(content)
    with pytest.raises(CheckpointError, match=f"metrics.jsonl.*{expected}"):
        run.load_metrics()


@pytest.mark.parametrize("name", ["metrics.jsonl", "resolved.yaml", "best.ckpt", "diverged.json"])
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_a_run_whose_file_is_something_else_is_refused_before_anything_is_written(
    tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    run = make_run(tmp_path, "a", "last.ckpt", "best.ckpt")
    (run.path / name).unlink(missing_ok=True)
    make(run.path / name)
    for find in (find_run, find_checkpoint):
        with pytest.raises(CheckpointError, match=f"{name}: not a file"):
            find(run.path)


def test_metrics_take_the_place_of_a_pipe_and_cannot_that_of_a_folder(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    os.mkfifo(run.metrics)
    run.save_metrics([{"epoch": 0}])
    assert run.load_metrics() == [{"epoch": 0}]
    run.metrics.unlink()
    run.metrics.mkdir()
    with pytest.raises(ResourceError, match=r"metrics\.jsonl: cannot write"):
        run.save_metrics([{"epoch": 0}])


def test_what_may_have_the_name_of_a_state_or_of_the_holder_is_passed_over(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    for name in ("step-00000001.ckpt", f"step-{'9' * 240}.ckpt"):
        (run.path / name).mkdir()
    assert run.states == {} and not run.can_go_on
    os.mkfifo(run.path / ".lock-holder")
    refused = pytest.raises(LockedError, match=f"locked by process {os.getpid()}")
    with run.locked(), refused, RunDirectory(run.path).locked():
        pass


def test_latest_may_be_a_link_to_itself(tmp_path: Path) -> None:
    run = make_run(tmp_path, "a", "best.ckpt")
    (tmp_path / LATEST).unlink()
    (tmp_path / LATEST).symlink_to(LATEST)
    assert latest_best_checkpoint(tmp_path) == run.best_checkpoint
    with pytest.raises(CheckpointError, match="no run with a checkpoint"):
        find_run(tmp_path / LATEST)


def test_a_run_directory_that_cannot_be_written_to_is_refused_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    run = make_run(tmp_path, "a")
    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    with (
        pytest.raises(UsageError, match=r"cannot write in this run directory \(Permission denied"),
        run.locked(),
    ):
        pytest.fail("it must not be entered")


def test_runs_are_told_apart_by_their_whole_name(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, name) for name in ("a", "a-20260101-000000-abcd", "ab", "a")]
    assert newest_run(tmp_path, "a") is None
    for run in runs[:3]:
        run.last_checkpoint.touch()
    assert newest_run(tmp_path, "a") == runs[0]
    runs[3].last_checkpoint.touch()
    assert newest_run(tmp_path, "a") == runs[3]
