"""The lecture's text: chapters of Markdown, and the commands in them with what they print.

A command is a line ``$ cnn-train …`` in a ``console`` block, and may end in ``\\`` to go on. The
words after ``console`` say what its output is, and which lines of it are shown:

==============  =================================================================================
(nothing)       the same on every machine
``measured``    measured on a trained model, or timed: it changes from run to run
``train``       training, which makes the runs that the commands after it use
``photos``      trained or measured on real photographs
``keep=REGEX``  only these lines are shown, with … for what is left out; the last word
==============  =================================================================================
"""

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from glob import glob
from itertools import groupby
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT
from subprocess import run as run_process
from typing import Literal, cast

from ..data.location import DATA_DIR_VARIABLE
from ..errors import CnnTrainError, UsageError

PACKAGE = Path(__file__).parents[1]
COLUMNS = 100
PROMPT, GAP = "$ ", "…"

Kind = Literal["", "measured", "train", "photos"]

HEADING_OR_BLOCK = re.compile(
    r"^## (?P<title>[^\n]+)$|^```console(?P<words>[^\n]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """Some commands, each with its output, below the title of their section."""

    title: str
    words: str
    text: str

    @property
    def kind(self) -> Kind:
        """What the outputs are: see above."""
        return cast(Kind, self.words.partition("keep=")[0].strip())

    @property
    def keep(self) -> str:
        """The regular expression of the lines that are shown; empty: all."""
        return self.words.partition("keep=")[2]

    def commands(self) -> list[str]:
        """Return the commands as they are written, each of one line or more."""
        return re.findall(r"^\$ (.*?[^\\])$", self.text, re.MULTILINE | re.DOTALL)

    def transcript(self, run: Callable[[str], str]) -> str:
        """Run the commands one after the other; return them with what is shown of each."""
        return "\n".join(
            f"{PROMPT}{command}\n{shorten(run(command), self.keep)}" for command in self.commands()
        )


def shipped_chapters() -> list[Path]:
    """Return the chapters in their order: inside a wheel's package, or in a clone's docs."""
    inside = PACKAGE / "chapters"
    folder = inside if inside.is_dir() else PACKAGE.parent / "docs" / "lecture"
    return sorted(folder.glob("[0-9]*.md"))


def find_blocks(chapter: str) -> Iterator[tuple[Block, re.Match[str]]]:
    """Yield the blocks of commands in their order, each with its place in the text."""
    title = ""
    for match in HEADING_OR_BLOCK.finditer(chapter):
        if match["title"]:
            title = match["title"]
        else:
            yield Block(title, match["words"].strip(), match["text"]), match


def fill(chapter: str, run: Callable[[str], str], wanted: Callable[[Block], bool]) -> str:
    """Return the chapter with what ``run`` makes of each command of the blocks that are wanted."""
    parts: list[str] = []
    end = 0
    for block, match in find_blocks(chapter):
        if wanted(block):
            parts += [chapter[end : match.start("text")], block.transcript(run)]
            end = match.end("text")
    return "".join([*parts, chapter[end:]])


def shorten(printed: str, keep: str) -> str:
    """Return the lines that match ``keep`` (empty: all), with a line … for those between."""
    lines: list[str] = []
    for is_kept, group in groupby(
        printed.splitlines(), lambda line: re.search(keep, line) is not None
    ):
        lines += group if is_kept else [GAP]
    return "".join(f"{line}\n" for line in lines)


def run_command(command: str, place: Path, data_dir: Path | None = None) -> str:
    """Run a ``cnn-train`` command in a directory; return what it prints, both streams as one.

    ``data_dir``: where datasets are kept, if elsewhere than usual. Raises CnnTrainError, with what
    it printed last, if the command fails.
    """
    name, *words = shlex.split(command.replace("\\\n", " "))
    if name != "cnn-train":
        raise UsageError(f"{command}: a chapter runs nothing but cnn-train")
    arguments = []
    for word in words:  # as a shell does
        arguments += sorted(glob(word, root_dir=place)) or [word]  # noqa: PTH207
    plain = {"COLUMNS": str(COLUMNS), "NO_COLOR": "1", "TERM": "dumb"}
    plain |= {DATA_DIR_VARIABLE: str(data_dir.absolute())} if data_dir else {}
    ended = run_process(
        [sys.executable, "-m", PACKAGE.name, *arguments],
        cwd=place,
        env=os.environ | plain | {"PYTHONPATH": str(PACKAGE.parent)},
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        text=True,
    )
    if ended.returncode:
        raise CnnTrainError(f"{command}: exit {ended.returncode}\n{ended.stdout[-2000:]}")
    printed = ended.stdout.replace(f"{place.resolve()}{os.sep}", "")
    lines = [line.rstrip() for line in printed.splitlines()]
    return "\n".join(lines).strip("\n") + "\n"


def find_picture(name: str, command: str, place: Path, run: Path) -> Path | None:
    """Return the picture ``name`` if ``command``, run in ``place``, may have drawn it.

    It lies where ``--out`` says, in the folder that ``--out`` names, or in the ``run`` itself.
    """
    out = re.search(r"--out (\S+)", command)
    named = place / out[1] if out else None
    trains = command.startswith("cnn-train fit") and "--dry-run" not in command
    places = [named.parent / name if named and named.name == name else None,
              named / name if named else None,
              place / run / name if trains else None]  # fmt: skip
    return next((path for path in places if path and path.is_file()), None)
