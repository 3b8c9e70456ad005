"""``cnn-train runs``: what was trained here, and how well."""

from pathlib import Path
from typing import TYPE_CHECKING

from .options import JsonOption, RunRootOption

if TYPE_CHECKING:
    from ..runs.summary import RunSummary

RESULTS_WIDTH, FEWEST_RESULTS_WIDTH = 40, 24
"""Columns kept free of a long name: for model, epochs and accuracy; for the last two alone."""

COMMON_NAME = 32
"""Letters of a run's name with its time; kept on one line before the model is shown."""


def runs(run_root: RunRootOption = Path("runs"), as_json: JsonOption = False) -> None:
    """List the runs, oldest first, with their results."""
    from dataclasses import asdict

    from rich.table import Table

    from ..runs.summary import summarize_runs
    from .console import fit_columns, notice, print_json, stdout

    summaries = summarize_runs(run_root)
    if as_json:
        print_json({"runs": [asdict(summary) for summary in summaries]})
        return
    if not summaries:
        notice(f"no runs below {run_root}; train one with: cnn-train fit --config CONFIG")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("run", overflow="fold", max_width=_name_width(stdout.width))
    for heading in ("data", "model", "loss"):
        table.add_column(heading, overflow="fold")
    for heading in ("epochs", "best val", "at", "time"):
        table.add_column(heading, justify="right", no_wrap=True)
    for summary in summaries:
        table.add_row(*_row(summary))
    fit_columns(table, ("time", "data", "loss", "at", "model", "best val"))
    stdout.print(table)


def _name_width(window: int) -> int:
    return max(window - RESULTS_WIDTH, min(COMMON_NAME, window - FEWEST_RESULTS_WIDTH), 8)


def _row(summary: "RunSummary") -> tuple[str, ...]:
    """Format for the screen: percent, epochs from 1, minutes and seconds."""
    from rich.markup import escape

    from .console import clock

    accuracy, best_epoch = summary.val_accuracy, summary.best_epoch
    return (
        escape(Path(summary.run_dir).name),
        summary.data,
        summary.model,
        summary.loss,
        f"{'diverged ' if summary.diverged else ''}{summary.epochs_done}/{summary.epochs}",
        "—" if accuracy is None else f"{100 * accuracy:.2f} %",
        "—" if best_epoch is None else str(best_epoch + 1),
        clock(summary.seconds),
    )
