"""The figures of the benchmark, as rows for the eye and for a program."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from .measuring import Spread

HEADINGS = (
    "figure", "unit", "ours", "plain", "times as fast", "TFLOP/s", "of ceiling", "target", "note"
)  # fmt: skip
WORDS = ("figure", "unit", "target", "note")
IN_A_RACE = {"ours": "measured", "plain": "beside it"}
"""Headings where not only our own figures stand in the first column."""
COLOURS = {"pass": "green", "MISS": "red"}


@dataclass(frozen=True)
class Target:
    """What was promised, and whether the figure keeps it."""

    text: str
    kept: bool


@dataclass(frozen=True)
class Row:
    """One figure.

    plain: what does the same work without this program, measured in turns with it. ratio: ours in
    units of the plain one's speed, above 1 where ours is faster. of_ceiling: the share of the
    machine's measured arithmetic that ``tflops`` is.
    """

    part: str
    name: str
    unit: str
    ours: Spread
    plain: Spread | None = None
    ratio: Spread | None = None
    tflops: float | None = None
    of_ceiling: float | None = None
    target: Target | None = None
    note: str = ""

    @property
    def is_missed(self) -> bool:
        """Whether there is a target that the figure does not keep."""
        return self.target is not None and not self.target.kept

    def to_json(self) -> dict[str, Any]:
        """Return plain values, None where something does not apply."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Row":
        """Return the row whose :meth:`to_json` this is."""
        parts = {"ours": Spread, "plain": Spread, "ratio": Spread, "target": Target}
        made = {name: part(**document[name]) for name, part in parts.items() if document[name]}
        return cls(**document | made)


def compare_speeds(
    part: str, name: str, unit: str, ours: Sequence[float], plain: Sequence[float], **more: Any
) -> Row:
    """Make the row of two speeds (the higher the better) from samples of the same rounds."""
    ratio = Spread.of_ratios(ours, plain)
    return Row(part, name, unit, Spread.of(ours), Spread.of(plain), ratio, **more)


def compare_seconds(
    part: str, name: str, ours: Sequence[float], plain: Sequence[float], **more: Any
) -> Row:
    """Make the row of two durations (the lower the better) from samples of the same rounds."""
    ratio = Spread.of_ratios(plain, ours)
    return Row(part, name, "s", Spread.of(ours), Spread.of(plain), ratio, **more)


def make_table(title: str, rows: Sequence[Row]) -> Table:
    """Draw up one part's rows; brackets hold the smallest and the largest measurement.

    Columns in which nothing stands are left out.
    """
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    table.title = f"\n{title}"
    headings, lines = _used_columns(rows)
    for heading in headings:
        justify: JustifyMethod = "left" if heading in WORDS else "right"
        table.add_column(heading, justify=justify, no_wrap=heading != "note")
    for line in lines:
        table.add_row(*map(_coloured, headings, line))
    return table


def render_markdown(rows: Sequence[Row]) -> str:
    """Write the rows as a table in Markdown, without the columns in which nothing stands."""
    headings, lines = _used_columns(rows)
    headings = [IN_A_RACE.get(heading, heading) for heading in headings]
    rule = ["---" if heading in WORDS else "---:" for heading in headings]
    cells = [headings, rule, *([cell.replace("|", "\\|") for cell in line] for line in lines)]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def _used_columns(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Return the headings under which something stands, and each row's cells there."""
    cells = [_cells(row) for row in rows]
    used = [i for i in range(len(HEADINGS)) if any(line[i] for line in cells)]
    return [HEADINGS[i] for i in used], [[line[i] for i in used] for line in cells]


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name, row.unit, _spread(row.ours), _spread(row.plain), _spread(row.ratio),
        "" if row.tflops is None else f"{row.tflops:.3f}",
        "" if row.of_ceiling is None else f"{100 * row.of_ceiling:.0f} %",
        f"{row.target.text} {'pass' if row.target.kept else 'MISS'}" if row.target else "",
        row.note,
    )  # fmt: skip


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return ""
    middle = _number(spread.median)
    return middle if spread.n == 1 else f"{middle} [{_number(spread.low)}–{_number(spread.high)}]"


def _number(value: float) -> str:
    """Write three significant digits, or all digits before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _coloured(heading: str, cell: str) -> Text:
    """Show whether a target was kept in colour."""
    text, space, verdict = cell.rpartition(" ")
    colour = COLOURS.get(verdict, "") if heading == "target" else ""
    return Text.assemble(text, space, (verdict, colour))
