"""The one way out of a command: its page on the screen or as JSON, its picture in a file."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from .console import fit_columns, notice, print_json, stdout

if TYPE_CHECKING:
    from ..page import Block, Page

FEWEST_LETTERS = 10
"""A column of words is never narrower than this, nor than its longest cell."""

PictureOption = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Draw it as .png or .svg.")
]


def check_picture(out: Path | None) -> None:
    """Refuse a picture's path before anything is computed."""
    if out is not None:
        from ..figures.saving import check_figure_path

        check_figure_path(out)


def present(page: "Page", *, as_json: bool, out: Path | None = None) -> None:
    """Show the page, or print its document alone; draw its picture into ``out``."""
    if as_json:
        print_json(page.document)
    else:
        show(page.blocks)
    if out is not None:
        from ..figures.saving import save_figure

        assert page.draw, "a command without a picture has no --out"
        save_figure(page.draw(), out)
        notice(f"wrote {out}")


def show(blocks: "Iterable[Block]") -> None:
    """Print the blocks one below the other, an empty line between them."""
    for number, block in enumerate(blocks):
        if number:
            stdout.print()
        if block.heading:
            stdout.print(Text(block.heading, style="bold"))
        for line in block.lines:
            stdout.print(Text(line))
        if block.rows:
            table = render_table(block)
            fit_columns(table, block.first_to_go)
            if least_width(block) > stdout.width:
                table.width = least_width(block)
            stdout.print(table, crop=False)


def least_width(block: "Block") -> int:
    """Return the width at which no number is broken and words have room for some letters."""
    widths = []
    for column, *cells in zip(block.columns, *block.rows, strict=True):
        lines = [line for text in (column.name, *cells) for line in text.splitlines()]
        widest = max(map(cell_len, lines), default=0)
        widths.append(widest if column.is_number else min(widest, FEWEST_LETTERS))
    return sum(widths) + 2 * (len(widths) - 1)


def render_table(block: "Block") -> Table:
    """Make the block's table, without lines: words fold, numbers are never broken."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for column in block.columns:
        if column.is_number:
            table.add_column(column.name, justify="right", no_wrap=True)
        else:
            table.add_column(column.name, overflow="fold")
    for number, row in enumerate(block.rows):
        style = block.row_styles.get(number, "bold" if number in block.bold_rows else "")
        table.add_row(*map(Text, row), style=style)
    return table
