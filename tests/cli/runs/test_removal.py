"""``runs remove`` and ``runs prune``: what goes, what stays, and who is asked."""

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from resolved_config import resolved

from cnn_train.machine.atomic_file import give_second_name
from cnn_train.runs.directory import LATEST, RunDirectory

Run = Callable[..., Any]

SIZE = 100_000


class Terminal(StringIO):
    """Somebody who answers."""

    def isatty(self) -> bool:
        return True


def make_run(name: str, accuracy: float, data: str) -> RunDirectory:
    """Make a run of three states: the second is the best, the third the last."""
    run = RunDirectory.create(Path("runs"), name)
    run.resolved_config.write_text(resolved(data=data))
    run.save_metrics([{"epoch": 0, "val_accuracy": accuracy, "seconds": 1, "best_epoch": 0}])
    for step in (1, 2, 3):
        run.state(step).write_bytes(os.urandom(SIZE))
    give_second_name(run.state(2), run.best_checkpoint)
    give_second_name(run.state(3), run.last_checkpoint)
    return run


@pytest.fixture
def runs(cnn_train: Run) -> list[RunDirectory]:
    """Make two runs on drawings and one on photographs, the latest."""
    runs = [
        make_run("a", 0.9, "{name: shapes, val_fraction: 0.1}"),
        make_run("b", 0.8, "{val_fraction: 0.1, name: shapes, sampling: balanced}"),
        make_run("c", 0.5, "{name: folder, root: /images}"),
    ]
    for age, run in enumerate(runs):
        os.utime(run.resolved_config, (age, age))
    return runs


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda text: monkeypatch.setattr(sys, "stdin", Terminal(text))


def test_prune_removes_what_is_neither_best_nor_last_and_frees_what_it_says(
    cnn_train: Run, runs: list[RunDirectory]
) -> None:
    found = cnn_train("runs", "prune", "--json", "--yes").document
    assert found["removed"]
    assert [removal["files"] for removal in found["removals"]] == 3 * [["step-00000001.ckpt"]]
    assert all(SIZE <= removal["frees"] < 2 * SIZE for removal in found["removals"])
    for run in runs:
        assert list(run.states) == [2, 3]
        assert run.best_checkpoint.samefile(run.state(2))
    again = cnn_train("runs", "prune", "--yes")
    assert (again.exit_code, again.stdout) == (0, "")
    assert "nothing was removed" in again.stderr


def test_prune_keeps_the_best_of_each_data_set(cnn_train: Run, runs: list[RunDirectory]) -> None:
    outcome = cnn_train("runs", "prune", "--keep-best", "1", "--yes")
    assert outcome.exit_code == 0
    assert [run.path.exists() for run in runs] == [True, False, True]
    rows = [line.split() for line in outcome.stdout.splitlines()[1:]]
    assert [row[1:4] for row in rows if "b-" in row[0]] == [["the", "whole", "run"]]
    assert (Path("runs") / LATEST).resolve() == runs[2].path.resolve()


def test_prune_leaves_runs_in_training_and_damaged_ones(
    cnn_train: Run, runs: list[RunDirectory]
) -> None:
    runs[2].resolved_config.write_text("a: [")
    with runs[0].locked():
        outcome = cnn_train("runs", "prune", "--keep-best", "1", "--yes")
    assert f"{runs[0].path} stays: a process trains in it" in outcome.stderr
    assert f"{runs[2].path} stays: resolved.yaml" in outcome.stderr
    assert [list(run.states) for run in runs] == [[1, 2, 3], [2, 3], [1, 2, 3]]


def test_a_run_without_its_last_checkpoint_keeps_all_states(
    cnn_train: Run, runs: list[RunDirectory]
) -> None:
    runs[0].last_checkpoint.unlink()
    cnn_train("runs", "prune", "--yes")
    assert [len(run.states) for run in runs] == [3, 2, 2]


@pytest.mark.parametrize(
    ("text", "goes"), [("y\n", True), ("yes\n", True), ("\n", False), ("n\n", False), ("", False)]
)
def test_removing_asks_first_and_shows_what_goes(
    cnn_train: Run, runs: list[RunDirectory], answer: Callable[[str], None], text: str, goes: bool
) -> None:
    answer(text)
    outcome = cnn_train("runs", "remove", "latest")
    assert outcome.exit_code == 0
    assert str(runs[2].path) in outcome.stdout and "50.00 %" in outcome.stdout
    assert "Remove this and free 0.3" in outcome.stderr
    assert runs[2].path.exists() != goes
    newest = runs[1] if goes else runs[2]
    assert (Path("runs") / LATEST).resolve() == newest.path.resolve()


def test_what_begins_to_train_before_the_answer_stays_and_is_not_counted(
    cnn_train: Run, runs: list[RunDirectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as training:

        class Slow(Terminal):
            def readline(self, size: int = -1, /) -> str:
                training.enter_context(runs[0].locked())
                return "y\n"

        monkeypatch.setattr(sys, "stdin", Slow())
        outcome = cnn_train("runs", "remove", runs[0].path)
    assert "not removed: " in outcome.stderr and "nothing was removed" in outcome.stderr
    assert runs[0].path.exists()


@pytest.mark.parametrize("command", [("remove", "latest"), ("prune",)])
def test_without_anybody_to_ask_nothing_is_removed(
    cnn_train: Run, runs: list[RunDirectory], monkeypatch: pytest.MonkeyPatch, command: tuple[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO("y\n"))
    outcome = cnn_train("runs", *command)
    assert outcome.exit_code == 2
    assert "confirm with --yes" in outcome.stderr
    listed = cnn_train("runs", *command, "--json")
    assert (listed.exit_code, listed.document["removed"]) == (0, False)
    assert all(len(run.states) == 3 for run in runs)


def test_a_run_in_training_is_refused_and_no_other_is_removed(
    cnn_train: Run, runs: list[RunDirectory]
) -> None:
    with runs[1].locked():
        outcome = cnn_train("runs", "remove", "--yes", *[run.path for run in runs])
    assert outcome.exit_code == 7
    assert f"{runs[1].path}: locked by process {os.getpid()}" in outcome.stderr
    assert all(run.path.exists() for run in runs)


def test_the_last_run_takes_its_link_with_it_and_is_named_twice_without_harm(
    cnn_train: Run, runs: list[RunDirectory]
) -> None:
    everything = [run.path for run in runs] + ["latest", "best"]
    found = cnn_train("runs", "remove", "--yes", "--json", *everything).document
    assert len(found["removals"]) == 3 and found["removals"][0]["files"] == []
    assert list(Path("runs").iterdir()) == []
    assert not (Path("runs") / LATEST).is_symlink()


def test_what_is_no_run_is_never_removed(cnn_train: Run, runs: list[RunDirectory]) -> None:
    Path("photographs").mkdir()
    for word in ("photographs", "runs", ".", str(runs[0].best_checkpoint)):
        assert cnn_train("runs", "remove", "--yes", word).exit_code == 4
    assert Path("photographs").exists() and all(run.path.exists() for run in runs)
