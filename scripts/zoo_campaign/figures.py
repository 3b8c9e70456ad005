"""The two pictures of the table: what accuracy costs, and hinge beside cross-entropy."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from cnn_train.figures.style import BLUE, GREY, INK, ORANGE, SMALL_SIZE, make_figure, style_axes

from .recipes import PAIRS
from .summary import Summary, kinds_of_hardware

COLOURS = {"cross_entropy": BLUE, "hinge": ORANGE}
TIMES: Mapping[float, str] = {
    10: "10 s",
    30: "30 s",
    60: "1 min",
    180: "3 min",
    600: "10 min",
    1800: "30 min",
    7200: "2 h",
}
MARKERS = {"o": "round", "D": "diamonds", "s": "squares", "^": "triangles"}
STYLES = ("-", "--", ":", "-.")
"""Of lines, by hardware as the markers."""
PARAMETERS = {1e4: "10,000", 1e5: "100,000", 1e6: "1 million", 1e7: "10 million"}
ACCURACIES = (40, 50, 60, 70, 80, 85, 90, 92, 94, 96, 98)
NAMES = {"cross_entropy": "cross-entropy", "hinge": "hinge"}


def draw_costs(rows: Sequence[Summary]) -> Figure:
    """Draw test accuracy against training time and against parameters, with the Pareto front."""
    figure = make_figure(10.5, 5.2, "What accuracy costs")
    left, right = figure.subplots(1, 2, sharey=True)
    on_cpu = [row for row in rows if row.runs[0]["device"] == "cpu"]
    kinds = kinds_of_hardware(run for row in on_cpu for run in row.timed)
    markers = dict(zip(kinds, MARKERS, strict=False))
    which = [f"{MARKERS[mark]}: {kind}" for kind, mark in markers.items()] if kinds[1:] else kinds
    time = "\n".join(["training and validation on a CPU", *which])
    draw_cost(left, on_cpu, lambda row: row.seconds, time, TIMES, markers)
    draw_cost(right, rows, lambda row: row.parameters, "parameters", PARAMETERS, {})
    left.set_ylabel("test accuracy, one view, %")
    return figure


def draw_cost(
    axes: Axes,
    rows: Sequence[Summary],
    cost: Callable[[Summary], float],
    label: str,
    ticks: Mapping[float, str],
    markers: Mapping[str, str],
) -> None:
    """Draw a point for each row and a line through those that nothing cheaper reaches.

    markers: by hardware, where the cost depends on it; then each has a line of its own.
    """
    if not rows:
        return
    named: set[str] = set()
    for row in rows:
        axes.scatter(
            cost(row), 100 * row.accuracy.mean, s=26, color=COLOURS[row.loss], zorder=3,
            marker=markers.get(row.hardware, "o"),
            label=None if row.loss in named else NAMES[row.loss],
        )  # fmt: skip
        named.add(row.loss)
    groups = [[row for row in rows if row.hardware == kind] for kind in markers] or [list(rows)]
    fronts = [pareto_front([(cost(row), 100 * row.accuracy.mean) for row in one]) for one in groups]
    for front, style in zip(fronts, STYLES, strict=False):
        meaning = "nothing cheaper is as good" if front is fronts[0] else None
        axes.step(*zip(*front, strict=True), where="post", color=GREY, linewidth=1.2, zorder=1,
                  linestyle=style, label=meaning)  # fmt: skip
    axes.set_xscale("log")
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.xaxis.set_minor_locator(NullLocator())
    names = {(cost(row), 100 * row.accuracy.mean): row.name for row in rows}
    left, right = (pick(point[0] for point in names) for pick in (min, max))
    for front in fronts:
        for i, point in enumerate(front):
            to_right = point[0] < left ** (2 / 3) * right ** (1 / 3)  # the first third of the axis
            neighbour = front[min(i + 1, len(front) - 1)] if to_right else front[max(i - 1, 0)]
            apart = 9 * (neighbour != point and are_close(neighbour, point))
            axes.annotate(
                names[point], point, (5, -4 - apart) if to_right else (-5, 3 + apart),
                textcoords="offset points", size=SMALL_SIZE - 1, color=INK,
                va="top" if to_right else "bottom", ha="left" if to_right else "right",
                parse_math=False,
            )  # fmt: skip
    axes.margins(x=0.12, y=0.12)
    axes.autoscale()
    axes.set_yscale("function", functions=(error_height, error_height_inverse))
    lowest, highest = (pick(point[1] for point in names) for pick in (min, max))
    axes.set_yticks([value for value in ACCURACIES if lowest - 5 < value < highest + 2])
    style_axes(axes, x=label, legend_columns=3)


def error_height(accuracy: Any) -> Any:
    """Place accuracies, in percent, so that halving the errors is always the same distance."""
    return -np.log(np.maximum(100 - np.asarray(accuracy), 1e-3))


def error_height_inverse(height: Any) -> Any:
    """Return the accuracy at a place."""
    return 100 - np.exp(-np.asarray(height))


def are_close(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Tell whether the names of two points (cost, accuracy) would touch."""
    costs, heights = zip(one, other, strict=True)
    difference = abs(error_height(heights[0]) - error_height(heights[1]))
    return bool(difference < 0.08) and max(costs) < 1.8 * min(costs)


def pareto_front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points (cost, gain) that no other reaches at the same cost or less."""
    front: list[tuple[float, float]] = []
    for cost, gain in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or gain > front[-1][1]:
            front.append((cost, gain))
    return front


def draw_losses(rows: Sequence[Summary]) -> Figure:
    """Draw both losses of each network that was trained with both, with 95 % intervals."""
    known = {row.name: row for row in rows}
    pairs = [(known.get(one.name), known.get(other.name)) for one, other in PAIRS]
    both = [(one, other) for one, other in pairs if one and other]
    both.sort(key=lambda pair: pair[0].accuracy.mean)
    figure = make_figure(7.5, 1.4 + 0.42 * len(both), "Hinge beside cross-entropy")
    axes = figure.subplots()
    for side, (loss, offset) in enumerate((("cross_entropy", 0.13), ("hinge", -0.13))):
        for place, pair in enumerate(both):
            mean, (low, high) = pair[side].accuracy.mean, pair[side].interval
            axes.plot([100 * low, 100 * high], [place + offset] * 2, color=COLOURS[loss], lw=1.6)
            label = NAMES[loss] if place == 0 else None
            axes.plot([100 * mean], [place + offset], "o", ms=4.5, color=COLOURS[loss], label=label)
    axes.set_yticks(range(len(both)), [pair[0].recipe.network for pair in both])
    axes.set_ylim(-0.5, max(len(both), 1) - 0.5)
    style_axes(
        axes, x="test accuracy, one view, %; lines: 95 % intervals", legend_columns=2 * bool(both)
    )
    return figure
