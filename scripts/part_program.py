"""What programs of several parts share: which parts to run, where the document goes, how to end."""

import json
import os
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import typer

from cnn_train.cli.console import error
from cnn_train.errors import CnnTrainError, UsageError


def choose_parts(names: str, known: Collection[str], option: str = "--only") -> list[str]:
    """Split a list of parts, comma between them; raises UsageError for one that is not known."""
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        raise UsageError(f"{option} {names}: choose from {', '.join(known)}")
    return chosen


def write_document(document: dict[str, Any], place: str | None) -> None:
    """Write JSON to the file ``place``, to stdout for ``-``, nowhere for None."""
    text = json.dumps(document, indent=2)
    if place == "-":
        print(text)
    elif place:
        Path(place).write_text(text + "\n", "utf-8")


def search_path() -> str:
    """Return PYTHONPATH for child processes: this source tree, then what the caller's has."""
    here = Path(__file__).parent
    found = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    places = [here.parent, here, *(Path(place).resolve() for place in found)]
    return os.pathsep.join(map(str, dict.fromkeys(places)))


def run_program(command: Callable[..., None]) -> None:
    """Run a command with the program's arguments; a user's error is one line and its exit code."""
    try:
        typer.run(command)
    except CnnTrainError as failure:
        error(str(failure))
        sys.exit(failure.exit_code)
