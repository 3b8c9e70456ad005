"""What a command found: words and tables for the terminal, a document for JSON, a picture."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .figures.style import Drawing

MINUS = "−"


@dataclass(frozen=True)
class Column:
    """A column of a table; numbers stand on the right and are never broken."""

    name: str
    is_number: bool = True


@dataclass(frozen=True)
class Block:
    """A part of a page: its heading in bold, lines of words, and a table.

    bold_rows: numbers of the rows that stand out. row_styles: their styles, as Rich names them, by
    number. first_to_go: names of the columns that a narrow
    window does without, from the least missed on.
    """

    heading: str = ""
    lines: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    bold_rows: frozenset[int] = frozenset()
    row_styles: Mapping[int, str] = field(default_factory=dict)
    first_to_go: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """``blocks`` for the terminal, ``document`` for JSON, ``draw`` for a picture that is wanted."""

    blocks: tuple[Block, ...]
    document: dict[str, Any]
    draw: "Callable[[], Drawing] | None" = None


def texts(*names: str) -> tuple[Column, ...]:
    """Make columns of words, which are folded where they are too long."""
    return tuple(Column(name, is_number=False) for name in names)


def numbers(*names: str) -> tuple[Column, ...]:
    """Make columns of numbers."""
    return tuple(map(Column, names))


def count_images(number: int) -> str:
    """Return ``1 image`` or ``5,000 images``."""
    return f"{number:,} image{'' if number == 1 else 's'}"


def aligned(values: Sequence[float]) -> list[str]:
    """Return numbers with equally many decimals: the largest has three significant digits."""
    largest = max(map(abs, values), default=0.0)
    decimals = 2 - math.floor(math.log10(largest)) if largest > 0 else 2
    return [f"{value:.{min(max(decimals, 0), 9)}f}".replace("-", MINUS) for value in values]


def signed(value: float, digits: int = 3) -> str:
    """Return a number with so many significant digits and a proper minus sign."""
    return f"{value:.{digits}g}".replace("-", MINUS)


def digits(number: float) -> str:
    """Return seven significant digits; zero has no sign."""
    return f"{number + 0.0:.7g}"


def short(number: float | None) -> str:
    """Return two significant digits of an error, or a dash where there is none."""
    return "—" if number is None else "0" if number == 0 else f"{number:.1e}"
