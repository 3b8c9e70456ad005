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
    GREEN,
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

COLUMN_INCHES, LABEL_INCHES, ROW_INCHES, NOTE_INCHES = 2.1, 0.55, 0.9, 0.18
BOX_INCHES, BOX_HEIGHT = 1.554, 0.72
"""The height is a share of a row's."""

BAND_COLUMNS = 8
"""Columns that can be read side by side on a screen; a longer graph goes on below."""

MOST_INCHES = 30.0
"""The largest height: 4,500 pixels, which take seconds to draw."""

CUT_MARGIN = 0.75
"""Columns beside a band's boxes, for the names of what goes on in another band."""

LETTER_INCHES = 0.12
"""Width of a title's letter; only capitals and m are wider."""

MOST_TITLE_LINES, TITLE_LINE_INCHES = 3, 0.23

PORT_GAP, BACK_GAP = 0.16, 0.11
"""Rows between the ends of two arrows that reach the same box, and between an arrow and the one
that goes back beside it."""

BOX_LETTERS = 20
"""Letters of SMALL_SIZE that fit into a box; where a line is longer, all letters are smaller."""

NAME_GAP = 0.04
"""Columns between the end of a cut arrow and the name beside it."""

INPUT_FACE, STEP_FACE, OUTPUT_FACE = "#E3EEF7", "#F4F5F7", "#FBE9E0"


@dataclass(frozen=True)
class Box:
    """A node: its symbol, what it computes, notes such as its value, and its slopes, in green."""

    symbol: str
    formula: str
    notes: tuple[str, ...] = ()
    slopes: tuple[str, ...] = ()
    is_input: bool = False
    is_output: bool = False

    @property
    def name(self) -> str:
        """What other boxes call it: the left side of its formula, or its symbol."""
        name, equals, _ = self.formula.partition(" = ")
        return name if equals else self.symbol

    @property
    def lines(self) -> list[str]:
        """All but the symbol, as they are written."""
        return [shorten(text, 28) for text in (self.formula, *self.notes, *self.slopes)]


def draw_computational_graph(
    boxes: Sequence[Box],
    edges: Sequence[tuple[int, int]],
    title: str,
    back: Sequence[str] = (),
    caption: str = "",
) -> Figure:
    """Draw boxes from left to right; an edge is (from, to), as positions in ``boxes``.

    back: by edge, what is handed back along it, on an arrow of its own; "": nothing. A long graph
    is wrapped into bands. Raises UsageError where the picture would be too high.
    """
    layout = arrange(len(boxes), edges)
    bands = wrap(layout, BAND_COLUMNS)
    margin = CUT_MARGIN if bands.is_wrapped else 0.0
    column = COLUMN_INCHES + LABEL_INCHES * any(back)
    width = max(column * (bands.num_columns + 2 * margin) + 0.4, 5.0)
    heading = fold(title, int(width / LETTER_INCHES), MOST_TITLE_LINES)
    row_inches = ROW_INCHES + NOTE_INCHES * (max(len(box.lines) for box in boxes) - 1)
    height = row_inches * bands.num_rows + 0.7 + TITLE_LINE_INCHES * heading.count("\n")
    if height > MOST_INCHES:
        raise UsageError(
            f"a graph of {len(boxes)} nodes in {bands.num_rows:.0f} rows is too large for a "
            "picture, .png or .svg; draw a part of the formula"
        )
    figure = make_figure(width, height, heading)
    axes = figure.add_subplot()
    hide_axes(axes)
    half = BOX_INCHES / column / 2
    ports = _ports(layout, edges, PORT_GAP * (2 if any(back) else 1))
    _draw_arrows(axes, boxes, edges, bands, ports, half)
    for pieces, port, label in zip(bands.arrows, ports, back or [""] * len(edges), strict=True):
        if label:
            _draw_back(axes, pieces, port + BACK_GAP, half, label)
    longest = max(len(line) for box in boxes for line in box.lines)
    for box, place in zip(boxes, bands.nodes, strict=True):
        _draw_box(axes, box, place, half, SMALL_SIZE * min(1, BOX_LETTERS / longest))
    axes.set_xlabel(caption, size=SMALL_SIZE, color=GREEN)
    axes.set_xlim(-0.5 - margin, bands.num_columns - 0.5 + margin)
    axes.set_ylim(bands.num_rows + 0.05, -0.05)
    return figure


def _draw_arrows(
    axes: Axes,
    boxes: Sequence[Box],
    edges: Sequence[tuple[int, int]],
    bands: Bands,
    ports: Sequence[float],
    half: float,
) -> None:
    """Draw every arrow's pieces; those that arrows from the same node share are drawn once."""
    sources: dict[tuple[Piece, float], int] = {}
    for (source, _), pieces, port in zip(edges, bands.arrows, ports, strict=True):
        sources |= {(piece, 0.0 if piece.goes_on else port): source for piece in pieces}
    for piece, port in sources:
        _draw_arrow(axes, _vertices(piece, port, half), GREY)
    _name_cuts(axes, {piece: boxes[source].name for (piece, _), source in sources.items()})


def _draw_back(axes: Axes, pieces: Sequence[Piece], port: float, half: float, label: str) -> None:
    """Draw an arrow below the one that it goes back along, with what it hands on."""
    for piece in pieces:
        way = _vertices(piece, port - BACK_GAP, half)
        _draw_arrow(axes, [(x, y + BACK_GAP) for x, y in reversed(way)], GREEN)
    x, y = pieces[-1].points[-1]
    axes.text(
        x - half - NAME_GAP, y + port, label, ha="right", va="center", size=SMALL_SIZE,
        color=GREEN, weight="bold", bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )  # fmt: skip


def _ports(layout: Layout, edges: Sequence[tuple[int, int]], gap: float) -> list[float]:
    """Return how far from its target's middle each arrow ends, so that no two end in one place."""
    shifts = [0.0] * len(edges)
    for target in {target for _, target in edges}:
        arriving = [i for i, edge in enumerate(edges) if edge[1] == target]
        arriving.sort(key=lambda i: (layout.arrows[i][-2][1], i))
        for rank, i in enumerate(arriving):
            shifts[i] = gap * (rank - (len(arriving) - 1) / 2)
    return shifts


def _vertices(piece: Piece, shift: float, half: float) -> list[Point]:
    """Return a smooth curve that leaves and arrives horizontally, at a box or where it is cut."""
    (x0, y0), *between, (x1, y1) = piece.points
    start = (x0, y0) if piece.comes_from else (x0 + half, y0)
    end = (x1, y1) if piece.goes_on else (x1 - half, y1 + shift)
    passages = [(x + side, y) for x, y in between for side in (-half, half)]  # straight across
    vertices = [start]
    for (x0, y0), (x1, y1) in pairwise([start, *passages, end]):
        middle = (x0 + x1) / 2
        vertices += [(middle, y0), (middle, y1), (x1, y1)]
    return vertices


def _draw_arrow(axes: Axes, vertices: Sequence[Point], color: str) -> None:
    path = Path(vertices, [Path.MOVETO] + [Path.CURVE4] * (len(vertices) - 1))
    arrow = FancyArrowPatch(
        path=path, arrowstyle="-|>", mutation_scale=10, color=color, lw=1.2, fill=False
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


def _draw_box(axes: Axes, box: Box, place: Point, half: float, small: float) -> None:
    """Draw the box; ``small``: the size of all its letters but the symbol's, in points."""
    x, y = place
    edge, face = GREY, STEP_FACE
    if box.is_input or box.is_output:
        edge, face = (BLUE, INPUT_FACE) if box.is_input else (ORANGE, OUTPUT_FACE)
    corner = (x - half, y - BOX_HEIGHT / 2)
    style = "round,pad=0,rounding_size=0.06"
    axes.add_patch(
        FancyBboxPatch(corner, 2 * half, BOX_HEIGHT, boxstyle=style, fc=face, ec=edge, lw=1.2)
    )
    lines = [shorten(box.symbol, 14), *box.lines]
    step = BOX_HEIGHT / (len(lines) + 0.6)
    for i, line in enumerate(lines):
        row = y + (i - (len(lines) - 1) / 2) * step
        size, weight = (TEXT_SIZE + 2, "bold") if i == 0 else (small, "normal")
        color = GREEN if i >= len(lines) - len(box.slopes) else INK
        axes.text(
            x, row, line, ha="center", va="center", size=size, weight=weight, color=color,
            parse_math=False,
        )  # fmt: skip
