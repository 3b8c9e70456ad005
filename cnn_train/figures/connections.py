"""Who is connected with whom: every pixel, a patch each, or a patch with shared weights."""

from collections.abc import Sequence

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
    shared = ["#CC79A7", ORANGE, GREEN, BLUE]
    tops = [2 * unit + 1.5 for unit in range(UNITS)]  # each above the middle of its patch
    for axes, kind, caption in zip(figure.subplots(1, 3), range(3), captions, strict=True):
        lines, colours = [], []
        for unit, top in enumerate(tops):
            pixels = range(PIXELS) if kind == 0 else range(2 * unit, 2 * unit + 4)
            for number, pixel in enumerate(pixels):
                lines.append([(top, 1.0), (float(pixel), 0.0)])
                grey = 0.35 + 0.45 * ((7 * unit + 5 * pixel) % 11) / 10  # of its own: not shared
                colours.append(shared[number] if kind == 2 else f"{grey:.2f}")
        axes.add_collection(LineCollection(lines, colors=to_rgba_array(colours), lw=1.2))
        axes.plot(range(PIXELS), [0] * PIXELS, "s", color=GREY, ms=7)
        axes.plot(tops, [1] * UNITS, "o", color=INK, ms=9)
        axes.set(xlim=(-0.7, PIXELS - 0.3), ylim=(-0.15, 1.15))
        axes.axis("off")
        axes.text(
            0.5, -0.02, caption, transform=axes.transAxes, ha="center", va="top", size=TEXT_SIZE
        )
    return figure
