"""Small tables of numbers side by side, with the signs of the sum that they make between them.

Shape letters: H W rows and columns of a table.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from .style import GREY, INK, ORANGE, SMALL_SIZE, TEXT_SIZE, fold, hide_axes, make_figure

CELL_INCHES, NOTE_INCHES, LEAST_INCHES = 0.46, 0.22, 7.0
"""The side of a cell, the height of a note, and the least width of a figure."""

ABOVE, ROW_GAP, SIGN_WIDTH, MAP_HEIGHT = 1.4, 0.6, 0.9, 3.0
"""In cells: the room for a row's heading and its tables' titles, and that below a row; then the
least width of a sign, and the least height of a map."""

LETTER_INCHES, SMALL_LETTER_INCHES = 0.12, 0.085
"""The width of a letter of the figure's title, and of a heading."""

LETTERS_PER_CELL = 6.5
"""Letters of a table's title over one cell; a title may reach over the sign beside its table."""

PALEST = 0.5
"""How far the colours go from white, so that a number can be read on each of them."""

PADDING = "·"
"""How the number in a cell of padding begins, which is grey."""


@dataclass(frozen=True)
class Grid:
    """A table under its title, coloured by sign and size: blue below 0, red above.

    texts: the numbers as they are written, row by row; without them it is a map of colours, as
    high as the tables beside it. frame: top, left, height and width, in cells, of a part of it.
    """

    values_HW: Tensor
    title: str
    texts: Sequence[str] = ()
    frame: tuple[int, int, int, int] | None = None


Row = Sequence[Grid | str]
"""Tables from left to right, and signs such as × between them."""


def draw_number_grids(
    rows: Sequence[tuple[str, Row]], title: str, notes: Sequence[str] = ()
) -> Figure:
    """Draw the rows below each other, each under its heading, and the notes below them."""
    heights = [max(_height(one) for one in row if isinstance(one, Grid)) for _, row in rows]
    widths = [
        sum(_width(one, height) for one in row)
        for (_, row), height in zip(rows, heights, strict=True)
    ]
    width_inches = max(CELL_INCHES * max(widths) + 0.4, LEAST_INCHES)
    total = sum(heights) + ABOVE * len(rows) + ROW_GAP * (len(rows) - 1)
    notes = [fold(note, int(width_inches / SMALL_LETTER_INCHES), 2) for note in notes]
    note_lines = sum(note.count("\n") + 1 for note in notes)
    figure = make_figure(
        width_inches,
        CELL_INCHES * total + NOTE_INCHES * note_lines + 0.7,
        fold(title, int(width_inches / LETTER_INCHES), 2),
    )
    axes = figure.add_subplot()
    hide_axes(axes)
    top = 0.0
    for (heading, row), height in zip(rows, heights, strict=True):
        heading = fold(heading, int(width_inches / SMALL_LETTER_INCHES), 2)
        axes.text(0, top, heading, va="top", size=TEXT_SIZE, color=INK, parse_math=False)
        _draw_row(axes, row, height, top + ABOVE)
        top += height + ABOVE + ROW_GAP
    axes.set_xlim(-0.5, (width_inches - 0.4) / CELL_INCHES)
    axes.set_ylim(total, 0)
    axes.set_aspect("equal", anchor="NW")
    words = axes.set_xlabel("\n".join(notes), size=TEXT_SIZE, color=INK, loc="left", labelpad=6)
    words.set_parse_math(False)
    return figure


def _height(grid: Grid) -> float:
    return float(grid.values_HW.shape[0]) if grid.texts else MAP_HEIGHT


def _cell(grid: Grid, height: float) -> float:
    """Return the side of the grid's cells, where those of tables have 1."""
    return 1.0 if grid.texts else height / grid.values_HW.shape[0]


def _width(one: Grid | str, height: float) -> float:
    """Return the width in cells, with the room that a title needs."""
    if isinstance(one, str):
        return max(SIGN_WIDTH, len(one) / LETTERS_PER_CELL + 0.5)
    own = one.values_HW.shape[1] * _cell(one, height)
    return max(own, len(one.title) / LETTERS_PER_CELL - SIGN_WIDTH / 2) + 0.1


def _draw_row(axes: Axes, row: Row, height: float, top: float) -> None:
    left, middle = 0.0, top + height / 2
    for one in row:
        width = _width(one, height)
        if isinstance(one, str):
            axes.text(left + width / 2, middle, one, ha="center", va="center", size=TEXT_SIZE + 2,
                      color=INK, parse_math=False)  # fmt: skip
        else:
            cell = _cell(one, height)
            _draw_grid(axes, one, left, middle - one.values_HW.shape[0] * cell / 2, cell)
        left += width


def _draw_grid(axes: Axes, grid: Grid, left: float, top: float, cell: float) -> None:
    values_HW = grid.values_HW.double()
    height, width = (side * cell for side in values_HW.shape)
    limit = float(values_HW.abs().max()) or 1.0
    shares_HW = 0.5 + values_HW / limit * (PALEST / 2 if grid.texts else 0.5)
    colours_HW4 = colormaps["RdBu_r"](shares_HW.numpy())
    for i, text in enumerate(grid.texts):
        row, column = divmod(i, values_HW.shape[1])
        if text.startswith(PADDING):
            colours_HW4[row, column] = to_rgba("#DDE0E4")
        axes.text(left + column + 0.5, top + row + 0.5, text, ha="center", va="center", color=INK,
                  size=SMALL_SIZE * min(1.0, 5.5 / max(map(len, grid.texts))))  # fmt: skip
    axes.imshow(
        colours_HW4, extent=(left, left + width, top + height, top), interpolation="nearest"
    )
    if grid.texts:
        rows, columns = values_HW.shape
        axes.hlines([top + i for i in range(1, rows)], left, left + width, "white", lw=0.6)
        axes.vlines([left + i for i in range(1, columns)], top, top + height, "white", lw=0.6)
    axes.text(left, top - 0.12, grid.title, va="bottom", size=SMALL_SIZE, color=INK,
              parse_math=False)  # fmt: skip
    _draw_frame(axes, (top, left, height, width), GREY, 0.8)
    if grid.frame:
        first, start, *size = (side * cell for side in grid.frame)
        _draw_frame(axes, (top + first, left + start, *size), ORANGE, 2.0)


def _draw_frame(axes: Axes, frame: Sequence[float], color: str, lw: float) -> None:
    top, left, height, width = frame
    axes.add_patch(
        Rectangle((left, top), width, height, fill=False, ec=color, lw=lw, clip_on=False)
    )
