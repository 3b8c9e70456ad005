"""Whether a model's certainty can be trusted: reliability of probabilities, margins of scores.

Shape letters: N examples.
"""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter
from torch import Tensor

from ..errors import counted
from ..metrics.statistics import Calibration, CalibrationBin
from .style import BLUE, GREY, INK, ORANGE, make_figure, style_axes

NUM_MARGIN_BINS = 60


def draw_calibration(calibration: Calibration, title: str) -> Figure:
    """Draw accuracy against confidence, the gap between both, and how many images each bin has.

    Each accuracy has its 95 % interval: in a bin of few images a long gap says little.
    """
    figure = make_figure(5.6, 6.2, title)
    reliability, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    used = [bin_ for bin_ in calibration.bins if bin_.num_examples]
    _draw_reliability(reliability, used)
    error = f"calibration error {100 * calibration.expected_error:.1f} %"
    style_axes(reliability, title=error, y="accuracy", legend_columns=2)
    _draw_bars(counts, used, [bin_.num_examples for bin_ in used], color=GREY)
    style_axes(counts, x="confidence (probability of the predicted class)", y="images")
    _count_in_whole_images(counts)
    for axis in (reliability.yaxis, counts.xaxis):
        axis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    return figure


def _draw_reliability(axes: Axes, used: Sequence[CalibrationBin]) -> None:
    accuracy = [bin_.accuracy or 0.0 for bin_ in used]
    confidence = [bin_.mean_confidence or 0.0 for bin_ in used]
    _draw_bars(axes, used, accuracy, color=BLUE, label="accuracy")
    axes.plot([0, 1], [0, 1], "--", color=INK, linewidth=1, label="perfect: accuracy = confidence")
    axes.vlines(
        confidence, accuracy, confidence, color=ORANGE, linewidth=2.5, label="gap", zorder=3
    )
    axes.plot(confidence, confidence, "o", color=ORANGE, markersize=3.5, zorder=3)
    axes.set_xlim(0, 1)
    intervals = [bin_.accuracy_interval for bin_ in used if bin_.accuracy_interval]
    middles = [(bin_.lower + bin_.upper) / 2 for bin_ in used]
    lows, highs = zip(*intervals, strict=True)
    label = "95 % interval of the accuracy"
    axes.vlines(middles, lows, highs, color=INK, linewidth=1, label=label)
    for ends in (lows, highs):
        axes.plot(middles, ends, "_", color=INK, markersize=6)
    axes.set_ylim(0, 1.02)


def _draw_bars(
    axes: Axes, bins: Sequence[CalibrationBin], heights: Sequence[float], **look: Any
) -> None:
    lefts = [bin_.lower for bin_ in bins]
    widths = [bin_.upper - bin_.lower for bin_ in bins]
    axes.bar(lefts, heights, widths, align="edge", edgecolor="white", alpha=0.85, **look)


def _count_in_whole_images(axes: Axes) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def draw_margins(margins_N: Tensor, required_margin: float | None, title: str) -> Figure:
    """Draw how far the true class's score lies above the best other one (below zero: a mistake).

    ``required_margin`` is where the hinge loss of an example becomes zero.
    """
    figure = make_figure(6.4, 4.0, title)
    axes = figure.add_subplot()
    low, high = min(margins_N.min().item(), 0.0), max(margins_N.max().item(), 0.0)
    width = (high - low) / NUM_MARGIN_BINS or 1.0
    first, last = int(low // width), int(high // width) + 1
    edges = [width * i for i in range(first, last + 1)]  # zero is an edge: no bar is half wrong
    wrong, right = margins_N[margins_N <= 0].tolist(), margins_N[margins_N > 0].tolist()
    axes.hist(wrong, edges, color=ORANGE, label=f"wrong: {counted(len(wrong), 'image')}")
    axes.hist(right, edges, color=BLUE, label=f"right: {counted(len(right), 'image')}")
    if required_margin is not None:
        label = f"margin {required_margin:g}: no loss beyond"
        axes.axvline(required_margin, color=INK, linestyle="--", linewidth=1, label=label)
    _count_in_whole_images(axes)
    style_axes(
        axes,
        title="Hinge scores are not probabilities, so there is no calibration",
        x="score of the true class − best other score",
        y="images",
        legend_columns=3,
    )
    return figure
