"""Break a long graph into bands below each other, as a long sentence is broken into lines.

An arrow that leaves a band ends at its right margin, and goes on at the left margin of the next
band, in the same row. Units: a column to the right, a row downwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .layered_layout import Layout, Point

MARGIN = 0.8
"""Columns from the middle of a band's first or last column to the place where arrows are cut."""

BAND_GAP = 0.6
"""Rows between two bands."""


@dataclass(frozen=True)
class Piece:
    """The part of an arrow within a band; at a cut its end lies on the margin, not in a column."""

    points: tuple[Point, ...]
    goes_on: bool = False
    comes_from: bool = False


@dataclass(frozen=True)
class Bands:
    """A layout after wrapping: a point per node, the pieces of each arrow, and the size."""

    nodes: tuple[Point, ...]
    arrows: tuple[tuple[Piece, ...], ...]
    num_columns: int
    num_rows: float
    is_wrapped: bool


def wrap(layout: Layout, most_columns: int) -> Bands:
    """Break ``layout`` into bands of about equally many columns, at most ``most_columns``."""
    num_bands = -(-layout.num_columns // most_columns)
    per_band = -(-layout.num_columns // num_bands)
    tops, height = [], 0.0
    for band in range(num_bands):
        rows = _rows_of(layout, band, per_band)
        tops.append(height + rows / 2)
        height += rows + BAND_GAP
    height -= BAND_GAP

    def place(point: Point, band: int) -> Point:
        return point[0] - band * per_band, point[1] + tops[band]

    def pieces(way: Sequence[Point]) -> tuple[Piece, ...]:
        first, last = (int(point[0]) // per_band for point in (way[0], way[-1]))
        cut = []
        for band in range(first, last + 1):
            inside = [point for point in way if int(point[0]) // per_band == band]
            points = [place(point, band) for point in inside]
            if band > first:
                before = way[way.index(inside[0]) - 1]
                points.insert(0, (-MARGIN, place(before, band)[1]))
            if band < last:
                points.append((per_band - 1 + MARGIN, points[-1][1]))
            cut.append(Piece(tuple(points), goes_on=band < last, comes_from=band > first))
        return tuple(cut)

    nodes = tuple(place(point, int(point[0]) // per_band) for point in layout.nodes)
    arrows = tuple(pieces(way) for way in layout.arrows)
    return Bands(nodes, arrows, per_band, height, num_bands > 1)


def _rows_of(layout: Layout, band: int, per_band: int) -> float:
    """Return how many rows a band needs, also for what comes in from the column before it."""
    columns = range(band * per_band - 1, (band + 1) * per_band)
    points = (*layout.nodes, *(point for way in layout.arrows for point in way))
    return 1 + 2 * max(abs(y) for x, y in points if int(x) in columns)
