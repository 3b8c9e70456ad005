"""How wrong numerical slopes are: the error against the step h, which has the shape of a U."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from .style import BLUE, ORANGE, SMALL_SIZE, add_legend_outside, make_figure, style_axes

SMALLEST_DRAWN = 1e-17
"""An error of zero has no place on a logarithmic axis; it is drawn here."""

LEAST_RANGE = 30.0
"""At least this ratio of the largest to the smallest error is shown."""


def draw_difference_errors(
    steps: Sequence[float],
    forward: Sequence[float | None],
    centred: Sequence[float | None],
    title: str,
    *,
    measure: str,
    left: str = "",
    middle: str = "",
    right: str = "",
) -> Figure:
    """Draw the errors of forward and centred differences for every step h.

    ``measure`` says what the errors are; the other words stand above the panel.
    """
    figure = make_figure(8.0, 4.8, title)
    axes = figure.add_subplot()
    for errors, colour, marker, label in (
        (forward, BLUE, "o", "forward: (f(x + h) − f(x)) / h"),
        (centred, ORANGE, "s", "centred: (f(x + h) − f(x − h)) / 2h"),
    ):
        drawn = [float("nan") if e is None else max(e, SMALLEST_DRAWN) for e in errors]
        axes.plot(steps, drawn, color=colour, marker=marker, markersize=4, lw=1.8, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(steps[::2])
    axes.minorticks_off()
    low, high = axes.get_ylim()
    if high < LEAST_RANGE * low:  # errors that hardly change: show more than one tick
        axes.set_ylim(low / LEAST_RANGE, high * LEAST_RANGE)
    style_axes(axes, x="step h", y=measure)
    look: dict[str, Any] = {"transform": axes.transAxes, "size": SMALL_SIZE, "style": "italic"}
    axes.text(0.0, 1.01, left, ha="left", **look)  # shares of the panel: just above it
    axes.text(0.5, 1.01, middle, ha="center", **look)
    axes.text(1.0, 1.01, right, ha="right", **look)
    add_legend_outside(axes, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.12))
    return figure
