"""What the campaign counted, as rows for the eye and for a program."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Count:
    """How many of some attempts ended well."""

    good: int
    of: int

    @classmethod
    def of_outcomes(cls, outcomes: Sequence[bool]) -> "Count":
        """Count the good ones."""
        return cls(sum(outcomes), len(outcomes))

    @property
    def is_whole(self) -> bool:
        """Whether every attempt ended well, and there was one."""
        return self.good == self.of > 0

    def __str__(self) -> str:
        return f"{self.good:,}/{self.of:,}"


@dataclass(frozen=True)
class Measure:
    """A measured quantity in ``unit``."""

    value: float
    unit: str

    def __str__(self) -> str:
        return f"{self.value:.3g} {self.unit}"


@dataclass(frozen=True)
class Row:
    """One figure, of cnn-train and, where it applies, of the plain loop.

    failures: what went wrong in ours, a line each.
    """

    part: str
    name: str
    ours: Count | Measure
    plain: Count | Measure | None = None
    note: str = ""
    failures: tuple[str, ...] = ()

    @property
    def is_kept(self) -> bool:
        """Whether nothing went wrong; a measure promises nothing."""
        return isinstance(self.ours, Measure) or self.ours.is_whole


def count_row(part: str, name: str, failures: Sequence[str], note: str = "") -> Row:
    """Make the row of some attempts; each gave why it failed, an empty text if it did not."""
    count = Count.of_outcomes([not failure for failure in failures])
    return Row(part, name, count, None, note, tuple(filter(None, failures)))


def make_table(title: str, rows: Sequence[Row]) -> Table:
    """Draw up one part's rows; a figure that is not whole is red."""
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    table.title = f"\n{title}"
    table.add_column("", no_wrap=True)
    table.add_column("cnn-train", justify="right", no_wrap=True)
    table.add_column("plain loop", justify="right", no_wrap=True)
    table.add_column("note")
    for row in rows:
        ours = Text(str(row.ours), style="" if row.is_kept else "red")
        plain = "" if row.plain is None else str(row.plain)
        table.add_row(row.name, ours, plain, row.note)
    return table
