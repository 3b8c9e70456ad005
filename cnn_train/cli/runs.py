"""``cnn-train runs``: what was trained here, and how well."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..page import Block, Column, Page, clock, numbers, percent, texts
from .console import notice, stdout
from .options import JsonOption, RunRootOption
from .present import present

if TYPE_CHECKING:
    from ..runs.summary import RunSummary

RESULTS_WIDTH, FEWEST_RESULTS_WIDTH = 40, 24
"""Columns kept free of a long name: for model, epochs and accuracy; for the last two alone."""

COMMON_NAME = 32
"""Letters of a run's name with its time; kept on one line before the model is shown."""


def runs(run_root: RunRootOption = Path("runs"), as_json: JsonOption = False) -> None:
    """List the runs, oldest first, with their results."""
    from ..runs.directory import with_root
    from ..runs.summary import summarize_runs

    summaries = summarize_runs(run_root)
    if not summaries and not as_json:
        train = with_root("cnn-train fit --config CONFIG", run_root)
        notice(f"no runs below {run_root}; train one with: {train}")
        return
    name = Column("run", is_number=False, max_width=_name_width(stdout.width))
    results = numbers("epochs", "best val", "at", "time")
    table = Block(
        columns=(name, *texts("data", "model", "loss"), *results),
        rows=tuple(map(_row, summaries)),
        first_to_go=("time", "data", "loss", "at", "model", "best val"),
    )
    present(Page((table,), {"runs": [asdict(summary) for summary in summaries]}), as_json=as_json)


def _name_width(window: int) -> int:
    return max(window - RESULTS_WIDTH, min(COMMON_NAME, window - FEWEST_RESULTS_WIDTH), 8)


def _row(summary: "RunSummary") -> tuple[str, ...]:
    """Format for the screen: percent, epochs from 1, minutes and seconds."""
    accuracy, best_epoch = summary.val_accuracy, summary.best_epoch
    return (
        Path(summary.run_dir).name,
        summary.data,
        summary.model,
        summary.loss,
        f"{'diverged ' if summary.diverged else ''}{summary.epochs_done}/{summary.epochs}",
        "—" if accuracy is None else percent(accuracy, 2),
        "—" if best_epoch is None else str(best_epoch + 1),
        clock(summary.seconds),
    )
