"""The growth of a run's time, drawn on logarithmic axes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from cnn_train.figures.style import BLUE, GREY, add_legend, make_figure, style_axes

if TYPE_CHECKING:
    from .scale import Growth


def draw_scaling(growths: Sequence["Growth"], title: str) -> Figure:
    """Draw one panel per growing thing: the measured medians, their spread, and proportion."""
    figure = make_figure(3.6 * len(growths), 3.4, title)
    for axes, growth in zip(
        figure.subplots(1, len(growths), squeeze=False)[0], growths, strict=True
    ):
        _draw_growth(axes, growth)
    return figure


def _draw_growth(axes: Axes, growth: "Growth") -> None:
    middle = [spread.median for spread in growth.seconds]
    below = [spread.median - spread.low for spread in growth.seconds]
    above = [spread.high - spread.median for spread in growth.seconds]
    proportion = [middle[-1] * amount / growth.amounts[-1] for amount in growth.amounts]
    axes.plot(growth.amounts, proportion, color=GREY, linestyle="--", label="in proportion")
    label = f"measured: exponent {growth.exponent.median:.2f}"
    axes.errorbar(
        growth.amounts, middle, yerr=[below, above], color=BLUE, marker="o", capsize=3, label=label
    )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    style_axes(axes, x=growth.what, y="seconds")
    axes.set_xticks(growth.amounts, [f"{amount:,}" for amount in growth.amounts])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:.3g}")
    add_legend(axes)
