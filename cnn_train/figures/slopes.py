"""The slope in every direction: a cosine, steepest along the gradient."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import BLUE, GREY, ORANGE, make_figure, style_axes


def draw_slopes(
    gradient_norm: float,
    turned: Sequence[tuple[float, float]],
    random: Sequence[tuple[float, float]],
    title: str,
    note: str = "",
) -> Figure:
    """Draw measured slopes over the angle to the gradient, as (degrees, slope), and ‖∇f‖ cos.

    ``note`` stands above the panel.
    """
    figure = make_figure(8.0, 4.6, title)
    axes = figure.add_subplot()
    degrees = np.linspace(0, 180, 181)
    cosine = gradient_norm * np.cos(np.radians(degrees))
    axes.axhline(0, color=GREY, lw=0.8)
    axes.plot(degrees, cosine, color=GREY, lw=1.8, label="∇f·d = ‖∇f‖ cos(angle)")
    _scatter(axes, turned, "measured, turned away from ∇f", marker="D", ms=5, color=ORANGE)
    _scatter(axes, random, "measured, random directions", marker="o", ms=9, mec=BLUE, mfc="none")
    axes.set_xticks(range(0, 181, 45), ["0°\nalong ∇f", "45°", "90°", "135°", "180°\nalong −∇f"])
    x = "angle between the direction and the gradient"
    style_axes(axes, title=note, x=x, y="slope", legend_columns=3)
    return figure


def _scatter(axes: Axes, points: Sequence[tuple[float, float]], label: str, **look: Any) -> None:
    """Mark points; the random ones are rings, for in a network they all lie at 90°."""
    if points:
        axes.plot(*zip(*points, strict=True), linestyle="", label=label, **look)
