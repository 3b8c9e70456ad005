"""The two consoles: results go to stdout, messages and progress go to stderr."""

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
from rich.text import Text

from ..errors import CnnTrainError, UsageError, visible

# A pipe has no width; tables that fold at Rich's default of 80 columns are hard to grep.
PIPE_WIDTH = 160

# Rich, which draws Typer's help too, would take even a width of 0 at its word and print nothing.
if not re.fullmatch("[1-9][0-9]{1,3}", os.environ.get("COLUMNS", "80")):
    del os.environ["COLUMNS"]

_known_width = Console().is_terminal or "COLUMNS" in os.environ


class _PlainConsole(Console):
    """A console that shows every letter of a text: no markup, no codes, no hidden letters."""

    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(visible(text), **how | {"markup": False, "emoji": False})


stdout = _PlainConsole(width=None if _known_width else PIPE_WIDTH, highlight=False)
stderr = _PlainConsole(stderr=True, highlight=False)
_errors = _PlainConsole(stderr=True, highlight=False)


def window_width() -> int | None:
    """Return the width of what stdout is shown in; a pipe or a file has none."""
    return stdout.width if _known_width else None


def silence() -> None:
    """Print nothing from now on but errors: another process of the same run does the talking."""
    stdout.quiet = stderr.quiet = True


_owes_document = False  # --json was given, and nothing is printed yet


def promise_json(wanted: bool) -> None:
    """Say whether the command that begins is to print a JSON document, whatever happens."""
    global _owes_document
    _owes_document = wanted


def print_json(document: Any) -> None:
    """Write one JSON document, and nothing else, to stdout (NaN is refused)."""
    global _owes_document
    if stdout.quiet:
        return
    _owes_document = False
    stdout.file.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def say(result: str | Path) -> None:
    """Print a line of a result, never folded; a path keeps its bytes in a pipe, as with ``ls``."""
    pipe = None if stdout.is_terminal else getattr(stdout.file, "buffer", None)
    if pipe is None or isinstance(result, str):
        stdout.print(str(result), soft_wrap=True)
    elif not stdout.quiet:
        stdout.file.flush()
        pipe.write(os.fsencode(result) + b"\n")


def notice(message: str) -> None:
    """Tell the user something worth knowing, on stderr."""
    stderr.print(message, style="dim", soft_wrap=True)


def warn(message: str) -> None:
    """Tell the user about something that is probably not what they wanted, on stderr."""
    stderr.print(f"warning: {message}", style="yellow", soft_wrap=True)


def confirmed(question: str, yes: bool) -> bool:
    """Ask on stderr, unless ``yes``; raises UsageError where nobody is there to answer."""
    if yes:
        return True
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError("nothing was removed: nobody can be asked here; confirm with --yes")
    notice(f"{question} [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def error(message: str) -> None:
    """Print a failure on stderr: one line, or one per finding."""
    for line in message.splitlines():
        _errors.print(f"error: {line}", style="bold red", soft_wrap=True)


def print_failure(failure: CnnTrainError | None, problem: BaseException) -> None:
    """Print a failure as the JSON document that ``--json`` may still owe; None: a bug of ours."""
    if not _owes_document:
        return
    stdout.quiet = False  # a silent process of several may be the one that fails
    if failure is None:
        found = {"code": 1, "kind": "bug", "message": f"{type(problem).__name__}: {problem}"}
    else:
        found = {"code": failure.exit_code, "kind": failure.kind, "message": str(failure)}
    print_json({"error": found})


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
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *counts,
        TimeRemainingColumn(),
        console=stderr,
        transient=True,
    )
    with bar:
        task = bar.add_task(description, total=total)
        yield lambda amount: bar.advance(task, amount)
