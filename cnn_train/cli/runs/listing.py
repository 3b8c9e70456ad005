"""``cnn-train runs`` without another word: what was trained here, and how well."""

from collections.abc import Callable, Sequence
from os.path import commonprefix
from typing import TYPE_CHECKING, Any

from ...errors import in_one_line
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
    "val_accuracy": lambda value: percent(value, 2),
    "val_accuracy_sd": lambda value: percent(value, 2),
    "val_loss": lambda value: f"{value:.4g}",
    "best_epoch": lambda value: str(value + 1),
    "seconds": clock,
    "size": megabytes,
    "frees": megabytes,
}
"""How values look on the screen: percent, epochs from 1, minutes and seconds."""


def values_table(rows: Sequence[dict[str, Any]], first_to_go: tuple[str, ...] = ()) -> Block:
    """Make a table of rows that have the same names; numbers stand on the right."""
    from ...config.scalars import render_value

    def spell(name: str, value: Any) -> str:
        if value is None:
            return "—"
        if name in SPELLED:
            return SPELLED[name](value)
        return value if isinstance(value, str) else render_value(value)

    kinds = {name: {type(row[name]) for row in rows} for name in rows[0]}
    return Block(
        columns=tuple(
            Column(name, kind <= {int, float, type(None)}) for name, kind in kinds.items()
        ),
        rows=tuple(tuple(spell(*item) for item in row.items()) for row in rows),
        first_to_go=first_to_go,
    )


def runs_table(summaries: "Sequence[RunSummary]") -> Block:
    """Make a row per run: its settings and its result, as far as the window has room."""
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
    return Block(
        columns=columns,
        rows=tuple(tuple(map(in_one_line, row.values())) for row in rows),
        first_to_go=("started", "time", *alike, "val loss", *others, "at", "best val"),
    )


def _row(summary: "RunSummary", start: int) -> dict[str, str]:
    """Format for the screen: percent, epochs from 1, minutes and seconds; by column.

    The path is what ``evaluate`` and ``fit --resume`` take. start: first letter shown of a root.
    """
    if summary.damaged:
        return {"run": f"{summary.run_dir} damaged: {summary.damaged}"}
    accuracy, loss, best_epoch = summary.val_accuracy, summary.val_loss, summary.best_epoch
    ended = f"{summary.ending} " if summary.diverged or summary.stopped_early else ""
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
