"""The chapters, worked through with a user's own run: its numbers and its pictures."""

import base64
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CnnTrainError
from .chapters import Block, find_blocks, find_picture, run_command, shipped_chapters, shorten

PICTURE = re.compile(r"!\[(?P<words>[^\]]*)\]\([^)]*?(?P<name>[\w-]+\.(?:png|svg))\)\n?")
DRAWING = re.compile(r"drawings/\w+/\d+\.png")
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?:\.\./)?[\w/.-]+\.md\)")
LAYERS = re.compile(r" --layer \S+")
"""Layers of the lecture's own networks: another one has others."""

KINDS = {".png": "image/png", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Cell:
    """A command of a chapter, and what of its output is shown; None: it was not run."""

    command: str
    printed: str | None


@dataclass(frozen=True)
class OwnChapter:
    """A chapter's text and commands in turn, and the pictures that they drew, by their names."""

    title: str
    parts: list[str | Cell]
    pictures: dict[str, Path]


class OwnRun:
    """A run that takes the place of the lecture's own ones.

    given: its directory as the user wrote it, or in full where it is outside of where we are.
    place: an empty directory to work in. data_dir: as of :func:`~.chapters.run_command`.
    """

    def __init__(self, given: Path, place: Path, data_dir: Path | None = None) -> None:
        if ".." in given.parts:  # a link to it would lie outside of place
            given = given.resolve()
        self.given, self.place, self.data_dir = given, place, data_dir
        if not given.is_absolute():  # the commands are those that the user would type
            link = place / given
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(given.resolve(), target_is_directory=True)

    def chapters(self, working: Callable[[str], object]) -> Iterator[OwnChapter]:
        """Work through every chapter that takes a run; ``working`` hears of each command."""
        for path in shipped_chapters():
            text = path.read_text("utf-8")
            kinds = {block.kind for block, _ in find_blocks(text)}
            if kinds - {"photos"}:
                yield self._work_through(self._with_own_run(text), working)

    def _with_own_run(self, text: str) -> str:
        own = {"runs/latest": self.given, "runs/best": self.given,
               "quickstart": self.given / "resolved.yaml"}  # fmt: skip
        words = re.compile(r"runs/(?:latest|best)|(?<=--config )quickstart")
        text = words.sub(lambda match: shlex.quote(str(own[match[0]])), text)
        return LINK.sub(r"\1", text.replace(" [All chapters](../lecture.md)", ""))

    def _work_through(self, text: str, working: Callable[[str], object]) -> OwnChapter:
        parts: list[str | Cell] = []
        pictures: dict[str, Path] = {}
        end = 0
        wanted = [match["name"] for match in PICTURE.finditer(text)]
        for block, match in find_blocks(text):
            parts.append(text[end : match.start()])
            end = match.end()
            for command in block.commands():
                parts.append(self._cell(block, command, working))
                for name in wanted:
                    if (found := find_picture(name, command, self.place, self.given)) is not None:
                        pictures[name] = found
        title = text.partition("\n")[0].removeprefix("# ")
        return OwnChapter(title, [*parts, text[end:]], pictures)

    def _cell(self, block: Block, command: str, working: Callable[[str], object]) -> Cell:
        if block.kind == "train":
            return Cell(command, None)
        command = LAYERS.sub("", DRAWING.sub(self._own_drawing, command))
        if command.startswith("cnn-train evaluate") and "--split" not in command:
            command += " --split val"  # the test images are for the user's own last look
        working(command)
        try:
            return Cell(
                command, shorten(run_command(command, self.place, self.data_dir), block.keep)
            )
        except CnnTrainError as problem:  # what this run has no use for is told, and no more
            return Cell(command, f"{str(problem).splitlines()[-1]}\n")

    def _own_drawing(self, match: re.Match[str]) -> str:
        """Name an image of the run's own that was exported: the stars are its first class."""
        files = sorted((self.place / "drawings").glob("*/*.png"))
        if not files:
            return match[0]
        return str((files[0] if "star" in match[0] else files[-1]).relative_to(self.place))


def with_pictures(text: str, pictures: dict[str, Path], show: Callable[[str, Path], str]) -> str:
    """Let ``show(its words, its path)`` write each picture that was drawn; leave out the others."""

    def replace(match: re.Match[str]) -> str:
        path = pictures.get(match["name"])
        return "" if path is None else f"{show(match['words'], path)}\n"

    return PICTURE.sub(replace, text)


def encode_picture(path: Path) -> tuple[str, str]:
    """Return a picture's kind and its content in base64."""
    return KINDS[path.suffix], base64.b64encode(path.read_bytes()).decode()


def as_notebook(chapters: list[OwnChapter]) -> dict[str, Any]:
    """Return a Jupyter notebook (format 4.5) whose cells hold texts and commands in turn."""
    cells: list[dict[str, Any]] = []
    for chapter in chapters:
        for part in chapter.parts:
            cell = _code(part) if isinstance(part, Cell) else _words(part, chapter.pictures)
            if cell["source"].strip():
                cells.append(cell | {"id": f"cell-{len(cells)}"})
    language = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return {"cells": cells, "metadata": language, "nbformat": 4, "nbformat_minor": 5}


def _words(text: str, pictures: dict[str, Path]) -> dict[str, Any]:
    attached = {}

    def attach(words: str, path: Path) -> str:
        attached[path.name] = dict([encode_picture(path)])
        return f"![{words}](attachment:{path.name})"

    source = with_pictures(text, pictures, attach)
    cell = {"cell_type": "markdown", "metadata": {}, "source": source}
    return cell | ({"attachments": attached} if attached else {})


def _code(cell: Cell) -> dict[str, Any]:
    printed = {"output_type": "stream", "name": "stdout", "text": cell.printed}
    return {
        "cell_type": "code", "execution_count": None, "metadata": {},
        "source": f"!{cell.command}", "outputs": [] if cell.printed is None else [printed],
    }  # fmt: skip
