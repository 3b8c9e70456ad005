"""A curve, secants through one of its points, and the tangent that they turn into."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from .style import BLUE, GREEN, INK, make_figure, style_axes, with_minus

LEFT, RIGHT = 1.25, 1.4
"""How far the curve is drawn, in units of the longest step."""


def draw_secants(
    value: Callable[[float], float | None],
    x: float,
    tangent: float | None,
    secants: Sequence[tuple[float, float]],
    title: str,
    name: str,
) -> Figure:
    """Draw the curve around ``x``; ``secants`` are (h, slope), the tangent is its slope or None.

    ``value`` returns None where the function has no value.
    """
    figure = make_figure(8.0, 5.0, title)
    axes = figure.add_subplot()
    longest = max((abs(h) for h, _ in secants), default=1.0)
    xs = np.linspace(x - LEFT * longest, x + RIGHT * longest, 401)
    ys = np.array([value(float(at)) for at in xs], dtype=float)  # None becomes NaN: a gap
    y = value(x)
    assert y is not None, "there is no secant through a point without a value"
    axes.plot(xs, ys, color=BLUE, lw=2.4, label="f")
    shades = colormaps["autumn"](np.linspace(0.1, 0.7, max(len(secants), 1)))
    for (h, slope), shade in zip(secants, shades, strict=False):
        ends, label = xs[[0, -1]], with_minus(f"secant, h = {h:g}")
        axes.plot(ends, y + slope * (ends - x), color=shade, lw=1.4, label=label)
        axes.plot([x + h], [y + slope * h], "o", ms=5, color=shade)
    if tangent is not None:
        axes.plot(xs[[0, -1]], y + tangent * (xs[[0, -1]] - x), "--", color=GREEN, label="tangent")
    axes.plot([x], [y], "o", ms=7, color=INK, zorder=3)
    around = ys[(xs > x - longest) & (xs < x + 1.05 * longest) & np.isfinite(ys)]
    low, high = float(min(around, default=y)), float(max(around, default=y))
    margin = 0.15 * (high - low or abs(high) or 1.0)
    axes.set_ylim(low - margin, high + margin)  # a steep line must not flatten the curve
    style_axes(axes, x=name, y=f"f({name})", legend_columns=5)
    return figure
