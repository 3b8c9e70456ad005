"""Keep docs/lecture.md true: run its commands, and write what they print below them.

A command is a line ``$ cnn-train …`` in a ``console`` block, and may end in ``\\`` to go on. The
word after ``console`` says what its output is:

=============  ==================================================================================
(nothing)      the same on every machine: a test runs it again and compares
``measured``   trained or timed: it changes from run to run
``photos``     trained or measured on real photographs: run with ``--photos DIR`` only
=============  ==================================================================================
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from part_program import run_program

from cnn_train.cli.console import notice
from cnn_train.errors import CnnTrainError, UsageError

REPOSITORY = Path(__file__).parents[1]
PAGE = REPOSITORY / "docs" / "lecture.md"
WORKPLACE = REPOSITORY / "runs" / "lecture"
COLUMNS = 100
PHOTOS = "photos"
PROMPT = "$ "
TITLE_OR_BLOCK = re.compile(
    r"^## (?P<title>[^\n]+)$|^```console(?: (?P<kind>\w+))?\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """Some commands, each with its output; ``kind`` is empty where all machines print the same."""

    title: str
    kind: str
    text: str

    def commands(self) -> list[str]:
        """Return the commands as they are written, each of one line or more."""
        return re.findall(r"^\$ (.*?[^\\])$", self.text, re.MULTILINE | re.DOTALL)


def read_blocks(page: str) -> list[Block]:
    """Return the page's blocks in their order, each with the title above it."""
    return [block for block, _ in _find_blocks(page)]


def _find_blocks(page: str) -> Iterator[tuple[Block, re.Match[str]]]:
    title = ""
    for match in TITLE_OR_BLOCK.finditer(page):
        if match["title"]:
            title = match["title"]
        else:
            yield Block(title, match["kind"] or "", match["text"]), match


def fill(page: str, run: Callable[[str], str], wanted: Callable[[Block], bool]) -> str:
    """Return the page with what ``run`` makes of each command of the blocks that are wanted."""
    parts: list[str] = []
    end = 0
    for block, match in _find_blocks(page):
        if wanted(block):
            parts += [page[end : match.start("text")], transcript(block, run)]
            end = match.end("text")
    return "".join([*parts, page[end:]])


def transcript(block: Block, run: Callable[[str], str]) -> str:
    """Run a block's commands one after the other; return them with what they print."""
    return "\n".join(f"{PROMPT}{command}\n{run(command)}" for command in block.commands())


def run_command(command: str, place: Path) -> str:
    """Run a ``cnn-train`` command in a directory; return what it prints, both streams as one.

    Raises CnnTrainError if the command fails.
    """
    name, *arguments = shlex.split(command.replace("\\\n", " "))
    if name != "cnn-train":
        raise UsageError(f"{command}: the page runs nothing but cnn-train")
    plain = {"COLUMNS": str(COLUMNS), "NO_COLOR": "1", "TERM": "dumb", "PYTHONPATH": REPOSITORY}
    ended = subprocess.run(
        [sys.executable, "-m", "cnn_train", *arguments],
        cwd=place,
        env=os.environ | {key: str(value) for key, value in plain.items()},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if ended.returncode:
        raise CnnTrainError(f"{command}: exit {ended.returncode}\n{ended.stdout[-2000:]}")
    printed = ended.stdout.replace(f"{place.resolve()}{os.sep}", "")
    lines = [line.rstrip() for line in printed.splitlines()]
    return "\n".join(lines).strip("\n") + "\n"


def prepare_workplace(place: Path, photos: Path | None) -> None:
    """Make a directory in which the page's paths lead where they lead from the repository."""
    place.mkdir(parents=True, exist_ok=True)
    (REPOSITORY / "docs" / "images" / "lecture").mkdir(parents=True, exist_ok=True)
    targets = {"configs": REPOSITORY / "configs", "docs": REPOSITORY / "docs", PHOTOS: photos}
    for name, target in targets.items():
        (place / name).unlink(missing_ok=True)
        if target:
            (place / name).symlink_to(target.resolve())


def rewrite(
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="WORDS", help="Sections with these words in their title."),
    ] = None,
    photos: Annotated[
        Path | None,
        typer.Option("--photos", metavar="DIR", help="Real images: train/<class>/, test/<class>/."),
    ] = None,
) -> None:
    """Run the commands of docs/lecture.md again, and write what they print below them."""
    prepare_workplace(WORKPLACE, photos)

    def wanted(block: Block) -> bool:
        chosen = not only or any(words.lower() in block.title.lower() for words in only)
        return chosen and (block.kind != PHOTOS or photos is not None)

    def run(command: str) -> str:
        notice(f"{PROMPT}{command}")
        return run_command(command, WORKPLACE)

    PAGE.write_text(fill(PAGE.read_text("utf-8"), run, wanted), "utf-8")


if __name__ == "__main__":
    run_program(rewrite)
