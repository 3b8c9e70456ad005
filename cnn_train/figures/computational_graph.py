"""A formula as a picture: a box per step, an arrow from each operand to the step that uses it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from ..errors import UsageError
from .layered_layout import Layout, Point, arrange
from .style import BLUE, GREY, INK, ORANGE, SMALL_SIZE, TEXT_SIZE, hide_axes, make_figure, shorten

COLUMN_INCHES, ROW_INCHES, NOTE_INCHES = 2.1, 0.9, 0.18
BOX_WIDTH, BOX_HEIGHT = 0.74, 0.72
"""Of a column's width and a row's height."""

MOST_COLUMNS = 50

PORT_GAP = 0.16
"""Rows between the ends of two arrows that reach the same box."""

INPUT_FACE, STEP_FACE, OUTPUT_FACE = "#E3EEF7", "#F4F5F7", "#FBE9E0"


@dataclass(frozen=True)
class Box:
    """A node: its symbol, what it computes, and notes below, such as its value."""

    symbol: str
    formula: str
    notes: tuple[str, ...] = ()
    is_input: bool = False
    is_output: bool = False


def draw_computational_graph(
    boxes: Sequence[Box], edges: Sequence[tuple[int, int]], title: str
) -> Figure:
    """Draw boxes from left to right; an edge is (from, to), as positions in ``boxes``.

    Raises UsageError where the longest way through the graph is too long for a picture.
    """
    layout = arrange(len(boxes), edges)
    if layout.num_columns > MOST_COLUMNS:
        raise UsageError(
            f"a graph of {layout.num_columns} steps in a row is too long for a picture; "
            f"at most {MOST_COLUMNS}"
        )
    width = COLUMN_INCHES * layout.num_columns + 0.4
    row_inches = ROW_INCHES + NOTE_INCHES * max(len(box.notes) for box in boxes)
    figure = make_figure(max(width, 5.0), row_inches * layout.num_rows + 0.7, shorten(title, 90))
    axes = figure.add_subplot()
    hide_axes(axes)
    for points, arrow in zip(layout.arrows, _ports(layout, edges), strict=True):
        _draw_arrow(axes, points, arrow)
    for box, place in zip(boxes, layout.nodes, strict=True):
        _draw_box(axes, box, place)
    rows = layout.num_rows / 2
    axes.set_xlim(-0.5, layout.num_columns - 0.5)
    axes.set_ylim(rows + 0.05, -rows - 0.05)
    return figure


def _ports(layout: Layout, edges: Sequence[tuple[int, int]]) -> list[float]:
    """Return how far from its target's middle each arrow ends, so that no two end in one place."""
    shifts = [0.0] * len(edges)
    for target in {target for _, target in edges}:
        arriving = [i for i, edge in enumerate(edges) if edge[1] == target]
        arriving.sort(key=lambda i: (layout.arrows[i][-2][1], i))
        for rank, i in enumerate(arriving):
            shifts[i] = PORT_GAP * (rank - (len(arriving) - 1) / 2)
    return shifts


def _draw_arrow(axes: Axes, points: Sequence[Point], shift: float) -> None:
    """Draw a smooth line through ``points`` that leaves and arrives horizontally."""
    start = (points[0][0] + BOX_WIDTH / 2, points[0][1])
    end = (points[-1][0] - BOX_WIDTH / 2, points[-1][1] + shift)
    stops = [start, *(p for x, y in points[1:-1] for p in _passage(x, y)), end]
    vertices, codes = [start], [Path.MOVETO]
    for (x0, y0), (x1, y1) in pairwise(stops):
        middle = (x0 + x1) / 2
        vertices += [(middle, y0), (middle, y1), (x1, y1)]
        codes += [Path.CURVE4] * 3
    path = Path(vertices, codes)
    arrow = FancyArrowPatch(
        path=path, arrowstyle="-|>", mutation_scale=10, color=GREY, lw=1.2, fill=False
    )
    axes.add_patch(arrow)


def _passage(x: float, y: float) -> list[Point]:
    """Return the straight piece by which an arrow passes a column that it only crosses."""
    return [(x - BOX_WIDTH / 2, y), (x + BOX_WIDTH / 2, y)]


def _draw_box(axes: Axes, box: Box, place: Point) -> None:
    x, y = place
    edge = BLUE if box.is_input else ORANGE if box.is_output else GREY
    face = INPUT_FACE if box.is_input else OUTPUT_FACE if box.is_output else STEP_FACE
    corner = (x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2)
    style = "round,pad=0,rounding_size=0.06"
    axes.add_patch(
        FancyBboxPatch(corner, BOX_WIDTH, BOX_HEIGHT, boxstyle=style, fc=face, ec=edge, lw=1.2)
    )
    lines = [shorten(box.symbol, 14), box.formula, *box.notes]
    step = BOX_HEIGHT / (len(lines) + 0.6)
    for i, line in enumerate(lines):
        row = y + (i - (len(lines) - 1) / 2) * step
        size, weight = (TEXT_SIZE + 2, "bold") if i == 0 else (SMALL_SIZE, "normal")
        axes.text(
            x, row, line, ha="center", va="center", size=size, weight=weight, color=INK,
            parse_math=False,
        )  # fmt: skip
