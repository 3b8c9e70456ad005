"""Who is connected with whom: every pixel, a patch each, or a patch with shared weights."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure

from .style import BLUE, GREEN, GREY, INK, ORANGE, TEXT_SIZE, make_figure

PIXELS, UNITS = 12, 5
"""Of the drawing: a row of pixels below, a row of hidden units above."""


def draw_connections(captions: Sequence[str], title: str) -> Figure:
    """Draw the three kinds of layer side by side, each above its caption; equal colour, one weight.

    A unit's lines lead to all pixels, or to its patch of four; with shared filters the weights of
    all patches have the same four colours.
    """
    figure = make_figure(9.0, 3.6, title)
    patch = np.array(["#CC79A7", ORANGE, GREEN, BLUE])
    for axes, kind, caption in zip(figure.subplots(1, 3), range(3), captions, strict=True):
        lines, colours = [], []
        for unit in range(UNITS):
            first = 2 * unit
            pixels = range(PIXELS) if kind == 0 else range(first, first + 4)
            for number, pixel in enumerate(pixels):
                lines.append([(_unit_x(unit), 1.0), (float(pixel), 0.0)])
                colours.append(str(patch[number]) if kind == 2 else _own_colour(unit, pixel))
        axes.add_collection(LineCollection(lines, colors=to_rgba_array(colours), lw=1.2))
        _draw_ends(axes, caption)
    return figure


def _unit_x(unit: int) -> float:
    """Place a unit above the middle of its patch."""
    return 2 * unit + 1.5


def _own_colour(unit: int, pixel: int) -> str:
    """Give each connection a grey of its own: no two share a weight."""
    return f"{0.35 + 0.45 * ((7 * unit + 5 * pixel) % 11) / 10:.2f}"


def _draw_ends(axes: Axes, caption: str) -> None:
    axes.plot(range(PIXELS), [0] * PIXELS, "s", color=GREY, ms=7)
    axes.plot([_unit_x(unit) for unit in range(UNITS)], [1] * UNITS, "o", color=INK, ms=9)
    axes.set_xlim(-0.7, PIXELS - 0.3)
    axes.set_ylim(-0.15, 1.15)
    axes.axis("off")
    axes.text(0.5, -0.02, caption, transform=axes.transAxes, ha="center", va="top", size=TEXT_SIZE)
