"""``cnn-train runs``: what was trained here, and how well."""

from os.path import commonprefix
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import in_one_line
from ..page import Block, Column, Page, clock, numbers, percent, texts
from .console import notice, stdout
from .options import JsonOption, RunRootOption
from .present import present

if TYPE_CHECKING:
    from ..runs.summary import RunSummary

RESULTS_WIDTH, FEWEST_RESULTS_WIDTH = 40, 24
"""Columns kept free of a long path: for settings, epochs and accuracy; for the last two alone."""

COMMON_PATH = 37
"""Letters of a run's path with its time; kept on one line before settings are shown."""

SETTINGS = ("loss", "seed", "batch", "model", "lr", "data")
"""The first to go from a narrow window, but those in which all runs agree go before."""


def runs(run_root: RunRootOption = Path("runs"), as_json: JsonOption = False) -> None:
    """List the runs, oldest first, with their results."""
    from ..runs.directory import list_runs, with_root
    from ..runs.summary import summarize_run

    summaries = [summarize_run(run) for run in list_runs(run_root)]
    if not summaries and not as_json:
        train = with_root("cnn-train fit --config CONFIG", run_root)
        notice(f"no runs below {run_root}; train one with: {train}")
        return
    roots = [summary.data_root for summary in summaries if summary.data_root]
    start = commonprefix(roots).rfind("/") + 1  # noqa: RUF071  (cut at a whole name)
    window = stdout.width
    path_width = max(window - RESULTS_WIDTH, min(COMMON_PATH, window - FEWEST_RESULTS_WIDTH), 12)
    columns = (
        Column("run", is_number=False, max_width=path_width),
        *texts("started"),
        Column("data", is_number=False, max_width=24),
        *texts("model", "loss"),
        *numbers("lr", "batch", "seed", "epochs", "best val", "val loss", "at", "time"),
    )
    unknown = {column.name: "—" for column in columns}
    rows = [unknown | _row(summary, start) for summary in summaries]
    alike = [name for name in SETTINGS if len({row[name] for row in rows} - {"—"}) <= 1]
    others = [name for name in SETTINGS if name not in alike]
    table = Block(
        columns=columns,
        rows=tuple(tuple(map(in_one_line, row.values())) for row in rows),
        first_to_go=("started", "time", *alike, "val loss", *others, "at", "best val"),
    )
    present(Page((table,), {"runs": [vars(summary) for summary in summaries]}), as_json=as_json)


def _row(summary: "RunSummary", start: int) -> dict[str, str]:
    """Format for the screen: percent, epochs from 1, minutes and seconds; by column.

    The path is what ``evaluate`` and ``fit --resume`` take. start: first letter shown of a root.
    """
    if summary.damaged:
        return {"run": f"{summary.run_dir} damaged: {summary.damaged}"}
    accuracy, loss, best_epoch = summary.val_accuracy, summary.val_loss, summary.best_epoch
    ended = "diverged " if summary.diverged else "stopped early " if summary.stopped_early else ""
    return {
        "run": summary.run_dir,
        "started": (summary.started or "—").replace("T", " "),
        "data": summary.data_root[start:] if summary.data_root else summary.data,
        "model": summary.model,
        "loss": summary.loss,
        "lr": f"{summary.lr:g}",
        "batch": str(summary.batch_size),
        "seed": str(summary.seed),
        "epochs": f"{ended}{summary.epochs_done}/{summary.epochs}",
        "best val": "—" if accuracy is None else percent(accuracy, 2),
        "val loss": "—" if loss is None else f"{loss:.4g}",
        "at": "—" if best_epoch is None else str(best_epoch + 1),
        "time": clock(summary.seconds),
    }
