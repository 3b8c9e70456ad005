"""A formula as a picture: a box per step, an arrow from each operand to the step that uses it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from ..errors import UsageError
from .band_wrapping import Bands, Piece, wrap
from .layered_layout import Layout, Point, arrange
from .style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    SMALL_SIZE,
    TEXT_SIZE,
    fold,
    hide_axes,
    make_figure,
    shorten,
)

COLUMN_INCHES, ROW_INCHES, NOTE_INCHES = 2.1, 0.9, 0.18
BOX_WIDTH, BOX_HEIGHT = 0.74, 0.72
"""As shares of a column's width and of a row's height."""

BAND_COLUMNS = 8
"""Columns that can be read side by side on a screen; a longer graph goes on below."""

MOST_INCHES = 30.0
"""The largest height: 4,500 pixels, which take seconds to draw."""

CUT_MARGIN = 0.75
"""Columns beside a band's boxes, for the names of what goes on in another band."""

LETTER_INCHES = 0.12
"""Width of a title's letter; only capitals and m are wider."""

MOST_TITLE_LINES, TITLE_LINE_INCHES = 3, 0.23

PORT_GAP = 0.16
"""Rows between the ends of two arrows that reach the same box."""

BOX_LETTERS = 20
"""Letters of SMALL_SIZE that fit into a box; longer lines get smaller letters."""

NAME_GAP = 0.04
"""Columns between the end of a cut arrow and the name beside it."""

INPUT_FACE, STEP_FACE, OUTPUT_FACE = "#E3EEF7", "#F4F5F7", "#FBE9E0"


@dataclass(frozen=True)
class Box:
    """A node: its symbol, what it computes, and notes below, such as its value."""

    symbol: str
    formula: str
    notes: tuple[str, ...] = ()
    is_input: bool = False
    is_output: bool = False

    @property
    def name(self) -> str:
        """What other boxes call it: the left side of its formula."""
        return self.formula.partition(" = ")[0]


def draw_computational_graph(
    boxes: Sequence[Box], edges: Sequence[tuple[int, int]], title: str
) -> Figure:
    """Draw boxes from left to right; an edge is (from, to), as positions in ``boxes``.

    A long graph is wrapped into bands. Raises UsageError where the picture would be too high.
    """
    layout = arrange(len(boxes), edges)
    bands = wrap(layout, BAND_COLUMNS)
    margin = CUT_MARGIN if bands.is_wrapped else 0.0
    width = max(COLUMN_INCHES * (bands.num_columns + 2 * margin) + 0.4, 5.0)
    heading = fold(title, int(width / LETTER_INCHES), MOST_TITLE_LINES)
    row_inches = ROW_INCHES + NOTE_INCHES * max(len(box.notes) for box in boxes)
    height = row_inches * bands.num_rows + 0.7 + TITLE_LINE_INCHES * heading.count("\n")
    if height > MOST_INCHES:
        raise UsageError(
            f"a graph of {len(boxes)} nodes in {bands.num_rows:.0f} rows is too large for a "
            "picture, .png or .svg; draw a part of the formula"
        )
    figure = make_figure(width, height, heading)
    axes = figure.add_subplot()
    hide_axes(axes)
    _draw_arrows(axes, boxes, edges, layout, bands)
    for box, place in zip(boxes, bands.nodes, strict=True):
        _draw_box(axes, box, place)
    axes.set_xlim(-0.5 - margin, bands.num_columns - 0.5 + margin)
    axes.set_ylim(bands.num_rows + 0.05, -0.05)
    return figure


def _draw_arrows(
    axes: Axes, boxes: Sequence[Box], edges: Sequence[tuple[int, int]], layout: Layout, bands: Bands
) -> None:
    """Draw every arrow's pieces; those that arrows from the same node share are drawn once."""
    sources: dict[tuple[Piece, float], int] = {}
    for (source, _), pieces, port in zip(edges, bands.arrows, _ports(layout, edges), strict=True):
        sources |= {(piece, 0.0 if piece.goes_on else port): source for piece in pieces}
    for piece, port in sources:
        _draw_arrow(axes, piece, port)
    _name_cuts(axes, {piece: boxes[source].name for (piece, _), source in sources.items()})


def _ports(layout: Layout, edges: Sequence[tuple[int, int]]) -> list[float]:
    """Return how far from its target's middle each arrow ends, so that no two end in one place."""
    shifts = [0.0] * len(edges)
    for target in {target for _, target in edges}:
        arriving = [i for i, edge in enumerate(edges) if edge[1] == target]
        arriving.sort(key=lambda i: (layout.arrows[i][-2][1], i))
        for rank, i in enumerate(arriving):
            shifts[i] = PORT_GAP * (rank - (len(arriving) - 1) / 2)
    return shifts


def _draw_arrow(axes: Axes, piece: Piece, shift: float) -> None:
    """Draw a smooth line that leaves and arrives horizontally, at a box or where it is cut."""
    (x0, y0), *between, (x1, y1) = piece.points
    half = BOX_WIDTH / 2
    start = (x0, y0) if piece.comes_from else (x0 + half, y0)
    end = (x1, y1) if piece.goes_on else (x1 - half, y1 + shift)
    passages = [(x + side, y) for x, y in between for side in (-half, half)]  # straight across
    vertices = [start]
    for (x0, y0), (x1, y1) in pairwise([start, *passages, end]):
        middle = (x0 + x1) / 2
        vertices += [(middle, y0), (middle, y1), (x1, y1)]
    path = Path(vertices, [Path.MOVETO] + [Path.CURVE4] * (len(vertices) - 1))
    arrow = FancyArrowPatch(
        path=path, arrowstyle="-|>", mutation_scale=10, color=GREY, lw=1.2, fill=False
    )
    axes.add_patch(arrow)


def _name_cuts(axes: Axes, names: Mapping[Piece, str]) -> None:
    """Write beside each cut which node the arrow leaves."""
    cuts: dict[Point, tuple[float, str, str]] = {}
    for piece, name in names.items():
        if piece.comes_from:
            cuts[piece.points[0]] = (-NAME_GAP, "right", name)
        if piece.goes_on:
            cuts[piece.points[-1]] = (NAME_GAP, "left", name)
    for (x, y), (gap, side, name) in cuts.items():
        axes.text(x + gap, y, name, ha=side, va="center", size=SMALL_SIZE, color=INK)


def _draw_box(axes: Axes, box: Box, place: Point) -> None:
    x, y = place
    edge, face = GREY, STEP_FACE
    if box.is_input or box.is_output:
        edge, face = (BLUE, INPUT_FACE) if box.is_input else (ORANGE, OUTPUT_FACE)
    corner = (x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2)
    style = "round,pad=0,rounding_size=0.06"
    axes.add_patch(
        FancyBboxPatch(corner, BOX_WIDTH, BOX_HEIGHT, boxstyle=style, fc=face, ec=edge, lw=1.2)
    )
    lines = [shorten(box.symbol, 14), *(shorten(text, 28) for text in (box.formula, *box.notes))]
    step = BOX_HEIGHT / (len(lines) + 0.6)
    for i, line in enumerate(lines):
        row = y + (i - (len(lines) - 1) / 2) * step
        small = SMALL_SIZE * min(1, BOX_LETTERS / len(line))
        size, weight = (TEXT_SIZE + 2, "bold") if i == 0 else (small, "normal")
        axes.text(
            x, row, line, ha="center", va="center", size=size, weight=weight, color=INK,
            parse_math=False,
        )  # fmt: skip
