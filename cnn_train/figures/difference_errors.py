"""How wrong numerical slopes are: error against step, a U."""

from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import BLUE, ORANGE, SMALL_SIZE, add_legend, make_figure, style_axes

SMALLEST_DRAWN = 1e-17
"""An error of zero has no place on a logarithmic axis; it is drawn here."""


def draw_difference_errors(
    steps: Sequence[float],
    forward: Sequence[float | None],
    centred: Sequence[float | None],
    title: str,
    *,
    has_kink: bool = False,
) -> Figure:
    """Draw the relative errors of forward and centred differences for every step h.

    With ``has_kink`` there is no true slope: they are distances from the formula's choice.
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
    if has_kink:
        style_axes(axes, x="step h", y="distance from the formula's choice, relative")
        _note(axes, 0.5, "a kink: the slope is a choice", "center")
        low, high = axes.get_ylim()
        axes.set_ylim(low / 30, high * 30)  # distances hardly change: show more than one tick
    else:
        style_axes(axes, x="step h", y="largest relative error of a slope")
        _note(axes, 0.0, "← rounding", "left")
        _note(axes, 1.0, "curvature →", "right")
    add_legend(axes)
    return figure


def _note(axes: Axes, x: float, text: str, ha: Literal["left", "center", "right"]) -> None:
    """Write above the panel, where no line passes; ``x`` as a share of its width."""
    axes.text(x, 1.01, text, transform=axes.transAxes, size=SMALL_SIZE, style="italic", ha=ha)
