"""What programs of several parts share: which parts to run, what is shown, how to end."""

import json
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.table import Table

from cnn_train.cli.console import error, notice, stderr, stdout
from cnn_train.errors import CnnTrainError, UsageError
from cnn_train.machine.device import Device
from cnn_train.machine.environment import describe_environment

S = TypeVar("S")
R = TypeVar("R")

JsonPlace = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write JSON to this file; - for stdout."),
]


def choose_parts(names: str, known: Collection[str], option: str = "--only") -> list[str]:
    """Split a list of parts, comma between them; raises UsageError for one that is not known."""
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        raise UsageError(f"{option} {names}: choose from {', '.join(known)}")
    return chosen


class Report:
    """What a program of parts shows on the screen, and the same as a JSON document.

    ``place``: the file of the document, ``-`` for stdout (tables then go to stderr), None: nowhere.
    """

    def __init__(self, place: str | None, device: Device, line: str) -> None:
        """Show what computes here, and ``line`` about this run."""
        self.place, self.screen = place, stderr if place == "-" else stdout
        self.environment = describe_environment(device)
        self.print(", ".join(f"{name} {value}" for name, value in self.environment.items()), line)

    def print(self, *lines: str) -> None:
        """Show lines of text as they are."""
        for line in lines:
            self.screen.print(line, soft_wrap=True)

    def run_parts(
        self,
        parts: Mapping[str, Callable[[S], Iterable[R]]],
        chosen: Sequence[str],
        settings: S,
        make_table: Callable[[str, Sequence[R]], Table],
    ) -> list[R]:
        """Run parts one after the other, show each one's table when it is done; return all rows."""
        rows: list[R] = []
        for part in chosen:
            notice(f"{part} …")
            started = time.perf_counter()
            new = list(parts[part](settings))
            rows += new
            if new:
                table = make_table(f"{part} ({time.perf_counter() - started:.0f} s)", new)
                self.screen.print(table)
        return rows

    def write(self, **facts: Any) -> None:
        """Write the document: the environment, and these facts."""
        text = json.dumps({"environment": self.environment} | facts, indent=2)
        if self.place == "-":
            print(text)
        elif self.place:
            Path(self.place).write_text(text + "\n", "utf-8")


def search_path() -> str:
    """Return PYTHONPATH for child processes: this source tree, then what the caller's has."""
    here = Path(__file__).parent
    callers = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    places = [here.parent, here, *(Path(place).resolve() for place in callers)]
    return os.pathsep.join(map(str, dict.fromkeys(places)))


def run_program(command: Callable[..., None]) -> None:
    """Run a command with the program's arguments; a user's error is one line and its exit code."""
    try:
        typer.run(command)
    except CnnTrainError as failure:
        error(str(failure))
        sys.exit(failure.exit_code)
