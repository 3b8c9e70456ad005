"""``cnn-train runs`` without another word: what was trained here, and how well."""

from collections.abc import Callable, Sequence
from functools import partial
from os.path import commonprefix
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...page import Block, Column, clock, megabytes, numbers, percent, texts
from ..console import stdout

if TYPE_CHECKING:
    from ...runs.summary import RunSummary

RESULTS_WIDTH, FEWEST_RESULTS_WIDTH = 40, 24
"""Columns kept free of a long path: for settings, epochs and accuracy; for the last two alone."""

COMMON_PATH = 37
"""Letters of a run's path with its time; kept on one line before settings are shown."""

SETTINGS = ("loss", "seed", "batch", "model", "lr", "data")
"""The first to go from a narrow window, but those in which all runs agree go before."""

SPELLED: dict[str, Callable[[Any], str]] = {
    **dict.fromkeys(("val_accuracy", "val_accuracy_sd", "best val"), partial(percent, decimals=2)),
    **dict.fromkeys(("val_loss", "val loss"), "{:.4g}".format),
    **dict.fromkeys(("best_epoch", "at"), lambda value: str(value + 1)),
    **dict.fromkeys(("seconds", "time"), clock),
    **dict.fromkeys(("size", "frees"), megabytes),
    "lr": "{:g}".format,
}
"""How values look on the screen: percent, epochs from 1, minutes and seconds."""


def values_table(
    rows: Sequence[dict[str, Any]],
    first_to_go: tuple[str, ...] = (),
    columns: tuple[Column, ...] = (),
) -> Block:
    """Make a table of rows that have the same names; numbers stand on the right."""
    from ...config.scalars import render_value

    def spell(name: str, value: Any) -> str:
        if value is None:
            return "—"
        if name in SPELLED:
            return SPELLED[name](value)
        return value if isinstance(value, str) else render_value(value)

    kinds = {name: {type(row[name]) for row in rows} for name in rows[0]}
    numeric = {int, float, type(None)}
    return Block(
        columns=columns or tuple(Column(name, kind <= numeric) for name, kind in kinds.items()),
        rows=tuple(tuple(spell(*item) for item in row.items()) for row in rows),
        first_to_go=first_to_go,
    )


def runs_table(summaries: "Sequence[RunSummary]") -> Block:
    """Make a row per run: its settings and its result, as far as the window has room."""
    roots = [summary.data_root for summary in summaries if summary.data_root]
    start = commonprefix(roots).rfind("/") + 1  # noqa: RUF071  (cut at a whole name)
    window = stdout.width
    path_width = max(window - RESULTS_WIDTH, min(COMMON_PATH, window - FEWEST_RESULTS_WIDTH), 12)
    branches = any(summary.parent for summary in summaries)
    columns = (
        Column("run", is_number=False, max_width=path_width),
        *((Column("branch of", is_number=False, max_width=30),) if branches else ()),
        *texts("started"),
        Column("data", is_number=False, max_width=24),
        *texts("model", "loss"),
        *numbers("lr", "batch", "seed", "epochs", "best val", "val loss", "at", "time"),
    )
    rows = [_row(summary, start, branches=branches) for summary in summaries]
    alike = [name for name in SETTINGS if len({row[name] for row in rows} - {None}) <= 1]
    others = [name for name in SETTINGS if name not in alike]
    first_to_go = ("started", "time", *alike, "val loss", *others, "at", "best val")
    return values_table(rows, first_to_go, columns)


def _row(run: "RunSummary", start: int, *, branches: bool) -> dict[str, Any]:
    """Return what stands in each column; None where it is not known.

    The path is what ``evaluate`` and ``fit --resume`` take. start: first letter shown of a root.
    branches: whether any run is one, so that all have that column.
    """
    from ...runs.directory import RunDirectory

    parent = run.parent and f"{RunDirectory(Path(run.parent)).name}@{run.parent_step}"
    ended = f"{run.ending} " if run.diverged or run.stopped_early else ""
    return {
        "run": f"{run.run_dir} damaged: {run.damaged}" if run.damaged else run.run_dir,
        **({"branch of": parent} if branches else {}),
        "started": run.started and run.started.replace("T", " "),
        "data": run.data_root[start:] if run.data_root else run.data,
        "model": run.model,
        "loss": run.loss,
        "lr": run.lr,
        "batch": run.batch_size,
        "seed": run.seed,
        "epochs": None if run.damaged else f"{ended}{run.epochs_done}/{run.epochs}",
        "best val": run.val_accuracy,
        "val loss": run.val_loss,
        "at": run.best_epoch,
        "time": run.seconds,
    }
