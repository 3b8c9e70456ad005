"""Show a command's page: on the screen or as JSON, and its picture in a file."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from ..errors import UsageError, in_one_line
from ..machine.atomic_file import check_writable, write_atomically
from ..machine.csv_text import to_csv
from ..page import FULL_BLOCK, Block, Column, Page
from .console import notice, print_json, stdout
from .display.picture import can_show_pictures, render_picture
from .options import require_free

GAP = 2
STDOUT = Path("-")

PictureOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Draw it as .png or .svg; .html: all of the page."),
]


def check_picture(out: Path | None, *, may_be_page: bool = True) -> None:
    """Refuse a picture's path before anything is computed; or a page's, where it may be one."""
    if out is not None:
        from ..figures.saving import check_figure_path

        if may_be_page and is_html(out):
            check_writable(out)
        else:
            check_figure_path(out)


def is_html(path: Path) -> bool:
    """Whether the path's ending is that of a web page."""
    return path.suffix.lower() in (".html", ".htm")


def check_table(csv: Path | None, *, as_json: bool) -> None:
    """Refuse a table's path before anything is computed."""
    if csv == STDOUT and as_json:
        raise UsageError("--json and a table both want stdout; name a file for the table")
    if csv is not None and csv != STDOUT:
        require_free(csv, force=True)


def present(page: Page, *, as_json: bool, out: Path | None = None, csv: Path | None = None) -> None:
    """Show the page, or print its document alone; draw its picture into ``out``.

    An ``out`` that is a web page gets the words and tables too. The table goes to ``csv``, or to
    stdout in place of the page.
    """
    if csv is not None:
        assert page.table, "a command without a table has no option for it"
        table = to_csv(page.table())
    if as_json:
        print_json(page.document)
    elif csv == STDOUT:
        stdout.file.write(table)
    else:
        show(page.blocks)
    if csv is not None and csv != STDOUT:
        write_atomically(csv, table.encode(errors="backslashreplace"))
        notice(f"wrote {csv}")
    if out is not None:
        from ..figures.fonts import say_missing
        from ..figures.saving import save_figure
        from .display.html import Section, save_html
        from .display.player import render_player

        assert page.draw, "a command without a picture has no --out"
        if is_html(out):
            section = Section("", page.blocks)
            if page.play:
                section = replace(section, markup=render_player(page.play()))
            else:
                section = replace(section, figures=((out.stem, page.draw()),))
            save_html(out, out.stem, [section])
        else:
            say_missing(save_figure(page.draw(), out), notice)
        notice(f"wrote {out}")


def show(blocks: Iterable[Block]) -> None:
    """Print the blocks one below the other, an empty line between them."""
    for number, block in enumerate(blocks):
        if number:
            stdout.print()
        heading = block.heading
        _print_words((heading,) if heading and isinstance(heading, str) else heading, "bold")
        _print_words(block.lines, "")
        block = _fit(block)
        if block.picture_CHW is not None and can_show_pictures():
            both = Table.grid(padding=(0, 3))
            both.add_row(render_picture(block.picture_CHW), render_table(block))
            stdout.print(both)
        elif block.rows:
            stdout.print(render_table(block), crop=False)
        _print_words(block.notes, "dim")


def _print_words(lines: Iterable[str], style: str) -> None:
    """Print lines, wrapped between words; a word, such as a path, is never broken."""
    for line in lines:
        stdout.print(Text(in_one_line(line), style=style, overflow="ignore"), crop=False)


def render_table(block: Block) -> Table:
    """Make the block's table, without lines; wider than the window where a word would break."""
    widths = _widths(block)
    table = Table(
        box=None,
        padding=(0, GAP, 0, 0),
        header_style="bold",
        pad_edge=False,
        show_header=any(column.name for column in block.columns),
        width=_total(widths),
    )
    for column, width in zip(block.columns, widths, strict=True):
        table.add_column(
            column.name,
            style=column.style,
            justify="right" if column.is_number else "left",
            no_wrap=column.is_number or column.is_chart,
            overflow="fold",
            width=width,
        )
    for number, row in enumerate(block.rows):
        table.add_row(*map(_cell, row, block.columns), style=block.row_styles.get(number, ""))
    return table


def _cell(text: str, column: Column) -> str:
    """Return a cell's text, in one line but for charts; bars are ASCII where only that is known."""
    text = text if column.is_chart else in_one_line(text)
    return text.replace(FULL_BLOCK, "#") if stdout.options.ascii_only else text


def _fit(block: Block) -> Block:
    """Leave out columns, in the order given, until no word is broken; a note names them."""
    narrowest = [narrow for narrow, _ in _width_ranges(block)]
    kept, missing = list(range(len(narrowest))), []
    for name in block.first_to_go:
        if _total([narrowest[i] for i in kept]) <= stdout.width:
            break
        kept = [i for i in kept if block.columns[i].name != name]
        missing += [name] if name else []  # a bar is not missed: its number stays
    note = f"No room in this window for {', '.join(missing)}; --json has all."
    return replace(
        block,
        columns=tuple(block.columns[i] for i in kept),
        rows=tuple(tuple(row[i] for i in kept) for row in block.rows),
        notes=(*block.notes, note) if missing else block.notes,
    )


def _widths(block: Block) -> list[int]:
    """Return the columns' widths: what is widest is folded first, but no word is broken."""
    ranges = _width_ranges(block)
    widths = [wide for _, wide in ranges]
    while _total(widths) > stdout.width:
        foldable = [i for i, (narrow, _) in enumerate(ranges) if widths[i] > narrow]
        if not foldable:
            break
        widths[max(foldable, key=widths.__getitem__)] -= 1
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _width_ranges(block: Block) -> list[tuple[int, int]]:
    """Return for each column its longest word (or number), and its longest line."""
    ranges = []
    for i, column in enumerate(block.columns):
        texts = (column.name, *(_cell(row[i], column) for row in block.rows))
        lines = [line for text in texts for line in text.split("\n")]
        words = lines if column.is_number or column.is_chart else " ".join(lines).split()
        narrow, wide = (max(map(cell_len, pieces), default=0) for pieces in (words, lines))
        limit = column.max_width or wide
        ranges.append((min(narrow, limit), min(wide, limit)))
    return ranges
