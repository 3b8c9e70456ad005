"""What a visualisation looks like on the screen: a heading, its facts and a table per part."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ..console import stdout

if TYPE_CHECKING:
    from ...visualize.request import Block


def show_visualization(blocks: "Sequence[Block]") -> None:
    """Print the parts one below the other."""
    for number, block in enumerate(blocks):
        if number:
            stdout.print()
        stdout.print(Text(block.heading, style="bold"))
        for line in block.lines:
            stdout.print(Text(line))
        if block.rows:
            stdout.print(_render_table(block))


def _render_table(block: "Block") -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for column in block.columns:
        justify = "right" if column.is_number else "left"
        table.add_column(column.name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in block.rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
