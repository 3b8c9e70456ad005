import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cnn_train.cli import console
from cnn_train.runs.directory import RunDirectory

Run = Callable[..., Any]


@pytest.fixture
def two_runs(tmp_path: Path) -> list[RunDirectory]:
    """Make a finished run and one that has only begun."""
    runs = []
    for name, loss, accuracies in (("[bold]a", "hinge", (0.25, 0.5)), ("b", "cross_entropy", ())):
        run = RunDirectory.create(tmp_path / "runs", name)
        text = (
            f"data: {{name: shapes}}\nmodel: {{name: vgg16}}\nloss: {{name: {loss}}}\nepochs: 9\n"
        )
        run.resolved_config.write_text(text)
        records = [
            {"epoch": epoch, "val_accuracy": accuracy, "seconds": 40}
            for epoch, accuracy in enumerate(accuracies)
        ]
        run.save_metrics(records)
        runs.append(run)
    return runs


def test_runs_are_listed_with_their_results_oldest_first(
    cnn_train: Run, two_runs: list[RunDirectory]
) -> None:
    result = cnn_train("runs")
    assert result.exit_code == 0
    heading, first, second = result.stdout.splitlines()
    assert heading.split()[:4] == ["run", "data", "model", "loss"]
    assert first.split() == [
        two_runs[0].path.name, "shapes", "vgg16", "hinge", "2/9", "50.00", "%", "2", "1:20",
    ]  # fmt: skip
    assert second.split() == [
        two_runs[1].path.name, "shapes", "vgg16", "cross_entropy", "0/9", "—", "—", "0:00",
    ]  # fmt: skip


def test_runs_are_one_json_document(cnn_train: Run, two_runs: list[RunDirectory]) -> None:
    runs = cnn_train("runs", "--json").document["runs"]
    assert [run["val_accuracy"] for run in runs] == [0.5, None]
    assert [run["best_epoch"] for run in runs] == [1, None]
    assert runs[0]["loss"] == "hinge"


@pytest.mark.usefixtures("two_runs")
def test_another_folder_of_runs_can_be_named(cnn_train: Run) -> None:
    assert cnn_train("runs", "--run-root", "elsewhere", "--json").document == {"runs": []}


def test_without_runs_the_list_says_how_to_make_one(cnn_train: Run) -> None:
    result = cnn_train("runs")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no runs below runs; train one with: cnn-train fit --config" in result.stderr


def test_a_run_that_diverged_is_told_from_one_that_was_stopped(
    cnn_train: Run, two_runs: list[RunDirectory]
) -> None:
    two_runs[1].divergence.write_text("{}")
    _, first, second = cnn_train("runs").stdout.splitlines()
    assert "diverged" not in first and "diverged 0/9" in second
    runs = cnn_train("runs", "--json").document["runs"]
    assert [run["diverged"] for run in runs] == [False, True]


@pytest.mark.parametrize(
    ("width", "left_out"),
    [
        (36, "time, data, loss, at, model"),
        (50, "time, data, loss, at, model"),
        (60, "time, data, loss"),
        (80, "time"),
        (200, ""),
    ],
)
def test_in_a_narrow_window_results_stay_and_what_is_left_out_is_named(
    cnn_train: Run,
    two_runs: list[RunDirectory],
    monkeypatch: pytest.MonkeyPatch,
    width: int,
    left_out: str,
) -> None:
    monkeypatch.setattr(console.stdout, "width", width)
    page = cnn_train("runs").stdout
    assert max(map(len, page.splitlines())) <= width and "…" not in page
    first = next(line for line in page.splitlines() if line.startswith("[bold]a-"))
    assert "50.00 %" in first and "2/9" in first
    note = re.search("No room in this window for (.*?); --json", " ".join(page.split()))
    assert (note.group(1) if note else "") == left_out


def test_a_long_name_of_a_run_is_folded_whole_beside_its_results(
    cnn_train: Run, tmp_path: Path, two_runs: list[RunDirectory], monkeypatch: pytest.MonkeyPatch
) -> None:
    long = RunDirectory.create(tmp_path / "runs", 9 * "a_long_name_")
    long.resolved_config.write_text(two_runs[0].resolved_config.read_text())
    monkeypatch.setattr(console.stdout, "width", 80)
    _, *rows = cnn_train("runs").stdout.splitlines()
    assert long.path.name in "".join(row[:40].strip() for row in rows)
