"""Keep docs/lecture/ true: run the chapters' commands, and write what they print below them."""

import re
import shutil
from pathlib import Path
from typing import Annotated

import typer
from part_program import run_program

from cnn_train.cli.console import notice
from cnn_train.lecture.chapters import (
    PROMPT,
    Block,
    fill,
    find_picture,
    run_command,
    shipped_chapters,
)

REPOSITORY = Path(__file__).parents[1]
PICTURES = REPOSITORY / "docs" / "images" / "lecture"
WORKPLACE = REPOSITORY / "runs" / "lecture"
RUN = Path("runs/latest")
PHOTOS = "photos"


def rewrite(
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="WORDS", help="Sections with these words in their title."),
    ] = None,
    chapter: Annotated[
        list[int] | None, typer.Option("--chapter", metavar="N", help="These chapters only.")
    ] = None,
    photos: Annotated[
        Path | None,
        typer.Option("--photos", metavar="DIR", help="Real images: train/<class>/, test/<class>/."),
    ] = None,
) -> None:
    """Run the commands of docs/lecture/ again, and write what they print below them."""
    WORKPLACE.mkdir(parents=True, exist_ok=True)
    (WORKPLACE / PHOTOS).unlink(missing_ok=True)
    if photos:
        (WORKPLACE / PHOTOS).symlink_to(photos.resolve())

    def wanted(block: Block) -> bool:
        chosen = not only or any(words.lower() in block.title.lower() for words in only)
        return chosen and (block.kind != PHOTOS or photos is not None)

    for number, path in enumerate(shipped_chapters(), start=1):
        text = path.read_text("utf-8")
        names = re.findall(r"\(\.\./images/lecture/([\w.-]+)\)", text)

        def run(command: str, names: list[str] = names) -> str:
            notice(f"{PROMPT}{command}")
            for folder in re.findall(r"data export .*--out (\S+)", command):
                shutil.rmtree(WORKPLACE / folder, ignore_errors=True)  # it wants a new one
            printed = run_command(command, WORKPLACE)
            for name in names:
                if (drawn := find_picture(name, command, WORKPLACE, RUN)) is not None:
                    shutil.copy(drawn, PICTURES / name)
            return printed

        if not chapter or number in chapter:
            path.write_text(fill(text, run, wanted), "utf-8")


if __name__ == "__main__":
    run_program(rewrite)
