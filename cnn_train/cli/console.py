"""Everything that Rich draws: results go to stdout, all talk goes to stderr."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column, Table

# A pipe has no width; tables that fold at Rich's default of 80 columns are hard to grep.
PIPE_WIDTH = 160

# Rich, which draws Typer's help too, would take even a width of 0 at its word and print nothing.
if not re.fullmatch("[1-9][0-9]{1,3}", os.environ.get("COLUMNS", "80")):
    del os.environ["COLUMNS"]

_known_width = Console().is_terminal or "COLUMNS" in os.environ
stdout = Console(width=None if _known_width else PIPE_WIDTH, highlight=False)
stderr = Console(stderr=True, highlight=False)
_errors = Console(stderr=True, highlight=False)


def window_width() -> int | None:
    """Return the width of what stdout is shown in; a pipe or a file has none."""
    return stdout.width if _known_width else None


# Names of files may hold what a terminal obeys: escape sequences that recolour or erase.
_CONTROLS = {
    code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if code not in (9, 10)
}


def visible(text: str) -> str:
    """Spell out control characters, except tabs and line ends."""
    return text.translate(_CONTROLS)


def silence() -> None:
    """Print nothing from now on but errors: another process of the same run does the talking."""
    stdout.quiet = stderr.quiet = True


def fit_columns(table: Table, first_to_go: Sequence[str]) -> None:
    """Leave out columns, in the order given, until no word is broken; the caption names them."""
    missing: list[str] = []
    for heading in first_to_go:
        gaps = 2 * (len(table.columns) - 1)
        if sum(map(_narrowest, table.columns)) + gaps <= stdout.width:
            break
        missing.append(heading)
        kept = [column for column in table.columns if column.header != heading]
        table.columns = [replace(column, _index=i) for i, column in enumerate(kept)]
    if missing:
        note = f"No room in this window for {', '.join(missing)}; --json has all."
        table.caption = f"{table.caption}\n{note}" if table.caption else note
        table.caption_justify = "left"


def _narrowest(column: Column) -> int:
    """Return the width below which Rich would cut a cell or break a word."""
    texts = [stdout.render_str(str(cell)).plain for cell in (column.header, *column.cells)]
    words = texts if column.no_wrap else [word for text in texts for word in text.split()]
    widest = max(map(cell_len, words), default=0)
    return min(widest, column.max_width or widest)


def print_json(document: Any) -> None:
    """Write one JSON document, and nothing else, to stdout (NaN is refused)."""
    if stdout.quiet:
        return
    stdout.file.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def notice(message: str) -> None:
    """Tell the user something worth knowing, on stderr."""
    stderr.print(visible(message), style="dim", markup=False, soft_wrap=True)


def warn(message: str) -> None:
    """Tell the user about something that is probably not what they wanted, on stderr."""
    stderr.print(visible(f"warning: {message}"), style="yellow", markup=False, soft_wrap=True)


def error(message: str) -> None:
    """Print a failure on stderr: one line, or one per finding."""
    for line in message.splitlines():
        _errors.print(visible(f"error: {line}"), style="bold red", markup=False, soft_wrap=True)


@contextmanager
def progress(description: str, total: int | None, *, unit: str = "items") -> Iterator[Any]:
    """Show a bar while the block runs; off a terminal, one line at its start."""
    if not stderr.is_terminal:
        notice(f"{description} …")
        yield lambda amount: None
        return
    counts = (
        (DownloadColumn(), TransferSpeedColumn()) if unit == "bytes" else (MofNCompleteColumn(),)
    )
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        *counts,
        TimeRemainingColumn(),
        console=stderr,
        transient=True,
    )
    with bar:
        task = bar.add_task(description, total=total)
        yield lambda amount: bar.advance(task, amount)


def clock(seconds: float) -> str:
    """Return seconds as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
