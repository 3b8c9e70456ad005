"""How wrong numerical slopes are: error against step, a U."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import BLUE, ORANGE, SMALL_SIZE, add_legend, make_figure, style_axes

SMALLEST_DRAWN = 1e-17
"""An error of zero has no place on a logarithmic axis; it is drawn here."""

LEAST_RANGE = 30.0
"""Of the largest to the smallest error in view."""


@dataclass(frozen=True)
class ErrorNotes:
    """What the errors measure, and words above the panel: at its left, middle and right."""

    measure: str = "largest error of a slope, relative"
    left: str = ""
    middle: str = ""
    right: str = ""


def draw_difference_errors(
    steps: Sequence[float],
    forward: Sequence[float | None],
    centred: Sequence[float | None],
    title: str,
    notes: ErrorNotes,
) -> Figure:
    """Draw the errors of forward and centred differences for every step h."""
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
    style_axes(axes, x="step h", y=notes.measure)
    _note(axes, 0.0, notes.left, "left")
    _note(axes, 0.5, notes.middle, "center")
    _note(axes, 1.0, notes.right, "right")
    add_legend(axes)
    return figure


def _note(axes: Axes, x: float, text: str, ha: Literal["left", "center", "right"]) -> None:
    """Write above the panel, where no line passes; ``x`` as a share of its width."""
    axes.text(x, 1.01, text, transform=axes.transAxes, size=SMALL_SIZE, style="italic", ha=ha)
