"""What a command shows: text and tables in the terminal, a JSON document, a picture."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import counted

if TYPE_CHECKING:
    from torch import Tensor

    from .figures.number_grids import Row
    from .figures.style import Drawing

MINUS = "−"
FULL_BLOCK = "█"


@dataclass(frozen=True)
class Column:
    """A column of a table; numbers stand on the right and are never broken.

    style: of its cells, as Rich names it. max_width: where its words are folded at the latest.
    is_chart: its lines are drawings made of letters and spaces, which are never broken either.
    """

    name: str
    is_number: bool = True
    style: str = ""
    max_width: int | None = None
    is_chart: bool = False


@dataclass(frozen=True)
class Block:
    """A part of a page: heading (in lines) in bold, lines of words, a table, notes on it in grey.

    A table whose columns have no names has no header. row_styles: the styles, as Rich names them,
    of the rows that stand out, by number. first_to_go: names of the columns that are left out of a
    narrow window, the least important first. picture_CHW: an RGB image (uint8), which a terminal
    with colours shows beside the table.
    """

    heading: str | tuple[str, ...] = ""
    lines: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    row_styles: Mapping[int, str] = field(default_factory=dict)
    first_to_go: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    picture_CHW: "Tensor | None" = None


@dataclass(frozen=True)
class Page:
    """``blocks`` for the terminal, ``document`` for JSON; ``draw`` makes the picture.

    ``table`` makes the rows of a CSV file, the first of them its header. ``play`` makes what a web
    page shows step by step in place of the picture.
    """

    blocks: tuple[Block, ...]
    document: dict[str, Any]
    draw: "Callable[[], Drawing] | None" = None
    table: Callable[[], Iterable[Sequence[object]]] | None = None
    play: Callable[[], dict[str, Any]] | None = None


def texts(*names: str) -> tuple[Column, ...]:
    """Make columns of words, which are folded where they are too long."""
    return tuple(Column(name, is_number=False) for name in names)


def numbers(*names: str) -> tuple[Column, ...]:
    """Make columns of numbers."""
    return tuple(map(Column, names))


def paragraph(*lines: str) -> Block:
    """Make a block of words alone."""
    return Block(lines=lines)


def list_facts(facts: Iterable[tuple[str, str]], heading: str = "") -> Block:
    """Make a block with a line per fact: its name in bold, and what it is."""
    columns = (Column("", is_number=False, style="bold"), Column("", is_number=False))
    return Block(heading, columns=columns, rows=tuple(facts))


def grids_block(heading: str, row: "Row") -> Block:
    """Lay small tables and the signs between them side by side."""
    columns, names = [], []
    height = max(len(one.values_HW) for one in row if not isinstance(one, str))
    for one in row:
        if isinstance(one, str):
            names.append("")
            lines = [""] * ((height - 1) // 2) + [one]
        else:
            names.append(one.title)
            width, widest = one.values_HW.shape[1], max(map(len, one.texts))
            cells = [text.rjust(widest) for text in one.texts]
            lines = [" ".join(cells[i : i + width]) for i in range(0, len(cells), width)]
        columns.append([*lines, *[""] * (height - len(lines))])
    table = tuple(Column(name, is_number=False, is_chart=True) for name in names)
    return Block(heading, columns=table, rows=tuple(zip(*columns, strict=True)))


def count_images(number: int) -> str:
    """Return ``1 image`` or ``5,000 images``."""
    return counted(number, "image")


def times(sizes: Iterable[int]) -> str:
    """Return sizes as ``3×32×32``."""
    return "×".join(map(str, sizes))


def percent(share: float | None, decimals: int = 1) -> str:
    """Return a share as a percentage, or a dash where it is undefined."""
    return "–" if share is None else f"{100 * share:.{decimals}f} %"


def loss_text(value: float) -> str:
    """Return a loss with four decimals, or in powers of ten where they would say nothing."""
    return f"{value:.4f}" if value < 1e5 else f"{value:.3e}"


def metric_text(value: float | None, by: str) -> str:
    """Return a validation metric as epochs show it: a loss, or a share."""
    return percent(value, 2) if value is None or by != "loss" else loss_text(value)


def aligned(values: Sequence[float]) -> list[str]:
    """Return numbers with equally many decimals: the largest has three significant digits."""
    largest = max(map(abs, values), default=0.0)
    decimals = 2 - math.floor(math.log10(largest)) if largest > 0 else 2
    decimals = min(max(decimals, 0), 9)
    return [f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", MINUS) for value in values]


def whole_or_aligned(values: Sequence[float]) -> list[str]:
    """Return whole numbers as they are, and others with equally many decimals."""
    if all(value == round(value) and abs(value) < 1000 for value in values):
        return [f"{value + 0.0:.0f}".replace("-", MINUS) for value in values]
    return aligned(values)


def signed(value: float) -> str:
    """Return a number with three significant digits and a proper minus sign."""
    return f"{value:.3g}".replace("-", MINUS)


def digits(number: float) -> str:
    """Return seven significant digits; zero has no sign."""
    return f"{number + 0.0:.7g}"


def short(number: float | None) -> str:
    """Return two significant digits of an error, or a dash where there is none."""
    return "—" if number is None else "0" if number == 0 else f"{number:.1e}"


def clock(seconds: float) -> str:
    """Return seconds as ``m:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def megabytes(num_bytes: float) -> str:
    """Return bytes as ``0.02 MB``, ``171.3 MB`` or ``1,203.5 MB``."""
    return f"{num_bytes / 1e6:,.{1 if num_bytes >= 1e6 else 2}f} MB"


def bar(share: float, width: int) -> str:
    """Return a bar whose full ``width`` means 1."""
    return FULL_BLOCK * round(min(max(share, 0), 1) * width)
