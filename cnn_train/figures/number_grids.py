"""Small tables of numbers side by side, with the signs of the sum that they make between them.

Shape letters: H W rows and columns of a table.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from .style import GREY, INK, ORANGE, SMALL_SIZE, TEXT_SIZE, fold, hide_axes, make_figure

CELL_INCHES = 0.46
LEAST_INCHES = 7.0
LETTER_INCHES = 0.12
"""The least width of a figure, and the width of a letter of its title."""

SMALL_LETTER_INCHES = 0.085
"""The width of a letter of a heading or note."""

SIGN_WIDTH, TITLE_HEIGHT, HEADING_HEIGHT, NOTE_INCHES = 0.9, 0.7, 0.7, 0.22
ROW_GAP = 0.6
"""All but the notes' height in cells."""

LETTERS_PER_CELL = 6.5
"""Letters of a table's title over one cell; a title may reach over the sign beside its table."""

PALEST = 0.5
"""How far the colours go from white, so that a number can be read on each of them."""


@dataclass(frozen=True)
class Grid:
    """A table under its title, coloured by sign and size: blue below 0, red above.

    texts: the numbers as they are written, row by row. grey: cells (row, column) that are padding.
    marked: cells with a thick frame. frame: top, left, height and width, in cells, of one frame
    around several. is_map: drawn without numbers, as high as the tables beside it.
    """

    values_HW: Tensor
    title: str
    texts: Sequence[str] = ()
    grey: frozenset[tuple[int, int]] = frozenset()
    marked: frozenset[tuple[int, int]] = frozenset()
    frame: tuple[float, float, float, float] | None = None
    is_map: bool = False


Row = Sequence[Grid | str]
"""Tables from left to right, and signs such as × between them."""


def draw_number_grids(
    rows: Sequence[Row], title: str, notes: Sequence[str] = (), *, headings: Sequence[str] = ()
) -> Figure:
    """Draw the rows below each other, each under its heading if any, and the notes below them."""
    heights = [max(_height(one) for one in row if isinstance(one, Grid)) for row in rows]
    width = max(
        sum(_width(one, height) for one in row) for row, height in zip(rows, heights, strict=True)
    )
    above = TITLE_HEIGHT + (HEADING_HEIGHT if headings else 0)
    total = sum(heights) + above * len(rows) + ROW_GAP * (len(rows) - 1)
    inches = CELL_INCHES * total + NOTE_INCHES * len(notes) + 0.7
    width_inches = max(CELL_INCHES * width + 0.4, LEAST_INCHES)
    title = fold(title, int(width_inches / LETTER_INCHES), 2)
    figure = make_figure(width_inches, inches, title)
    axes = figure.add_subplot()
    hide_axes(axes)
    top = 0.0
    for i, (row, height) in enumerate(zip(rows, heights, strict=True)):
        if headings:
            line = fold(headings[i], int(width_inches / SMALL_LETTER_INCHES), 2)
            axes.text(0, top, line, va="top", size=TEXT_SIZE, color=INK, parse_math=False)
        _draw_row(axes, row, height, top + above)
        top += height + above + ROW_GAP
    axes.set_xlim(-0.5, max(width, (LEAST_INCHES - 0.4) / CELL_INCHES))
    axes.set_ylim(total, 0)
    axes.set_aspect("equal", anchor="NW")
    words = axes.set_xlabel("\n".join(notes), size=TEXT_SIZE, color=INK, loc="left", labelpad=6)
    words.set_parse_math(False)
    return figure


def _height(grid: Grid) -> float:
    return 3.0 if grid.is_map else float(grid.values_HW.shape[0])


def _scale(grid: Grid, height: float) -> float:
    """Return the side of the grid's cells, where those of tables have 1."""
    return height / grid.values_HW.shape[0] if grid.is_map else 1.0


def _width(one: Grid | str, height: float) -> float:
    """Return the width in cells, with the room that a title needs."""
    if isinstance(one, str):
        return max(SIGN_WIDTH, len(one) / LETTERS_PER_CELL + 0.5)
    own = one.values_HW.shape[1] * _scale(one, height)
    longest = max(map(len, one.title.split("\n")))
    return max(own, longest / LETTERS_PER_CELL - SIGN_WIDTH / 2) + 0.1


def _draw_row(axes: Axes, row: Row, height: float, top: float) -> None:
    left = 0.0
    for one in row:
        if isinstance(one, Grid):
            own = one.values_HW.shape[0] * _scale(one, height)
            _draw_grid(axes, one, _scale(one, height), left, top + (height - own) / 2)
        else:
            middle = left + (_width(one, height) - 0.1) / 2
            axes.text(
                middle, top + height / 2, one, ha="center", va="center", size=TEXT_SIZE + 2,
                color=INK, parse_math=False,
            )  # fmt: skip
        left += _width(one, height)


def _draw_grid(axes: Axes, grid: Grid, cell: float, left: float, top: float) -> None:
    values_HW = grid.values_HW.double()
    height, width = values_HW.shape
    right, bottom = left + width * cell, top + height * cell
    limit = float(values_HW.abs().max()) or 1.0
    shares_HW = 0.5 + values_HW / limit * (0.5 if grid.is_map else PALEST / 2)
    colours = colormaps["RdBu_r"](shares_HW.numpy())
    axes.imshow(colours, extent=(left, right, bottom, top), interpolation="nearest", zorder=1)
    axes.text(
        left, top - 0.12, grid.title, va="bottom", size=SMALL_SIZE, color=INK, parse_math=False
    )
    axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, ec=GREY, lw=0.8))
    if grid.frame:
        y, x, frame_height, frame_width = (side * cell for side in grid.frame)
        place = (left + x, top + y)
        axes.add_patch(
            Rectangle(place, frame_width, frame_height, fill=False, ec=ORANGE, lw=2, clip_on=False)
        )
    if not grid.is_map:
        _draw_cells(axes, grid, left, top)


def _draw_cells(axes: Axes, grid: Grid, left: float, top: float) -> None:
    """Write the numbers, on grey where they are padding."""
    width = grid.values_HW.shape[1]
    small = SMALL_SIZE * min(1.0, 5.5 / max(map(len, grid.texts)))
    for i, text in enumerate(grid.texts):
        row, column = divmod(i, width)
        corner = (left + column, top + row)
        is_grey = (row, column) in grid.grey
        face = "#DDE0E4" if is_grey else "none"
        axes.add_patch(Rectangle(corner, 1, 1, fc=face, ec="white", lw=0.6, zorder=2))
        middle = (corner[0] + 0.5, corner[1] + 0.5)
        axes.text(*middle, text, ha="center", va="center", size=small, color=INK, zorder=3)
    for row, column in grid.marked:
        axes.add_patch(
            Rectangle((left + column, top + row), 1, 1, fill=False, ec=INK, lw=2, zorder=4)
        )
