"""What the lecture's pages share: tables of numbers, pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

PictureOption = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Draw it as .png or .svg.")
]


def show_heading(text: str) -> None:
    """Print a line in bold, as it is."""
    from ..console import stdout

    stdout.print(text, style="bold", markup=False)


def show_text(text: str = "") -> None:
    """Print plain words, wrapped at the terminal's width."""
    from ..console import stdout

    stdout.print(text, markup=False)


def show_table(table: "Table") -> None:
    """Print a table with an empty line before it."""
    from ..console import stdout

    stdout.print()
    stdout.print(table)


def make_table(*texts: str, numbers: Sequence[str] = (), last: str | None = None) -> "Table":
    """Make a table without lines: columns of text, of numbers, and perhaps of text again."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in texts:
        table.add_column(heading, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right", overflow="fold")
    if last is not None:
        table.add_column(last, overflow="fold")
    return table


def check_picture(out: Path | None) -> None:
    """Refuse a picture's path before anything is computed."""
    if out is not None:
        from ...figures.saving import check_figure_path

        check_figure_path(out)


def save_picture(figure: Any, out: Path) -> None:
    """Save a matplotlib Figure and name its file on stderr."""
    from ...figures.saving import save_figure
    from ..console import notice

    save_figure(figure, out)
    notice(f"wrote {out}")
