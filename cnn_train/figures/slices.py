"""How a model's accuracy falls as images get harder, and what harder looks like.

Shape letters: C channels, H W pixels.
"""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ..metrics.slices import ClassSlice, Slice
from .mistakes import show_image
from .style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    SMALL_SIZE,
    TEXT_SIZE,
    make_figure,
    shorten_apart,
    style_axes,
)

COLOURS = (BLUE, ORANGE, GREEN, INK)
MARKERS = ("o", "s", "^", "D")
NUM_COLUMNS = 3
MOST_CLASSES = 24

ExampleRow = tuple[Slice, Sequence[Tensor]]
"""A challenge, and one image under it: uint8 CHW at each severity."""


def draw_slices(
    slices: Sequence[Slice],
    classes: Sequence[ClassSlice],
    *,
    chance: float,
    largest: float,
    title: str,
) -> Figure:
    """Draw a panel of curves per group and, where there are ``classes``, one of their bars.

    Lines show what needs no model: ``chance``, and always answering the ``largest`` class, whose
    share of the images is that or more.
    """
    groups = [(name, list(members)) for name, members in groupby(slices, key=lambda s: s.group)]
    num_panels = len(groups) + bool(classes)
    num_columns = max(1, min(NUM_COLUMNS, num_panels))
    num_rows = max(1, math.ceil(num_panels / num_columns))
    figure = make_figure(max(3.6 * num_columns, 5), 3.1 * num_rows + 0.5, title)
    panels = figure.subplots(num_rows, num_columns, squeeze=False).ravel()
    for axes in panels[num_panels:]:
        axes.set_visible(False)
    baselines = ((chance, ":", "chance"), (largest, "--", "always the largest class"))
    for axes, (group, members) in zip(panels, groups, strict=False):
        _draw_group(axes, group, members)
        lines = [axes.axhline(100 * level, color=GREY, ls=ls, lw=1.2) for level, ls, _ in baselines]
    if groups:
        names = [f"{name}: {100 * level:.3g} %" for level, _, name in baselines]
        figure.legend(
            lines, names, loc="outside lower center", ncols=2, fontsize=SMALL_SIZE, frameon=False,
            labelcolor=INK,
        )  # fmt: skip
    if classes:
        _draw_classes(panels[num_panels - 1], classes)
    return figure


def _draw_group(axes: Axes, group: str, curves: Sequence[Slice]) -> None:
    """Draw up to four curves by name; of more, all in grey and their mean."""
    many = len(curves) > len(COLOURS)
    for i, curve in enumerate(curves):
        look: dict[str, Any] = {"color": GREY, "lw": 0.8}
        if not many:
            look = {"color": COLOURS[i], "lw": 1.8, "marker": MARKERS[i], "label": curve.name}
        axes.plot(curve.severities, [100 * a for a in curve.accuracy], ms=4, **look)
    if many:
        columns = zip(*(curve.accuracy for curve in curves), strict=True)
        means = [100 * sum(column) / len(curves) for column in columns]
        label = f"mean of {len(curves)}"
        axes.plot(curves[0].severities, means, color=BLUE, lw=2.2, marker="o", ms=4, label=label)
    style_axes(axes, title=group, x="severity", y="accuracy (%)", legend_columns=2)
    axes.set_ylim(0, 100)
    axes.set_xticks(range(6))
    axes.set_xlim(-0.2, 5.2)


def _draw_classes(axes: Axes, classes: Sequence[ClassSlice]) -> None:
    """Draw a bar per class, the hardest on top; of very many classes, the hardest ones."""
    known = [point for point in classes if point.accuracy is not None]
    hardest = sorted(known, key=lambda point: point.accuracy or 0)[:MOST_CLASSES]
    percents = [100 * (point.accuracy or 0) for point in hardest]
    bars = axes.barh(range(len(hardest)), percents, color=BLUE, height=0.7)
    axes.bar_label(bars, fmt="%.0f", padding=3, size=SMALL_SIZE, color=INK)
    style_axes(axes, title="intraclass variation: class, spread", x="accuracy (%)", grid=False)
    names = shorten_apart([point.label for point in hardest], 16)
    spreads = ["–" if point.spread is None else f"{point.spread:.2f}" for point in hardest]
    ticks = [f"{name}  {spread}" for name, spread in zip(names, spreads, strict=True)]
    axes.set_yticks(range(len(names)), ticks, parse_math=False)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xticks(range(0, 101, 25))


def draw_examples(rows: Sequence[ExampleRow], title: str) -> Figure:
    """Draw the same image under every challenge, in two blocks: severities from left to right."""
    num_rows = math.ceil(len(rows) / 2)
    num_severities = len(rows[0][0].severities)
    width_inches = max(2 * (0.95 * num_severities + 1.2), 6.0)
    figure = make_figure(width_inches, 1.12 * num_rows + 0.8, title)
    halves = figure.add_gridspec(1, 2)
    for i, part in enumerate((rows[:num_rows], rows[num_rows:])):
        grid = figure.add_subfigure(halves[i]).subplots(num_rows, num_severities, squeeze=False)
        for axes in grid[len(part) :].ravel():
            axes.set_visible(False)
        groups = [challenge.group for challenge, _ in part]
        for j, (line, row) in enumerate(zip(grid, part, strict=False)):
            _draw_example_row(line, *row, named=j == 0)
            if groups[j] not in groups[:j]:
                _name_group(line[0], groups[j])
    return figure


def _name_group(axes: Axes, group: str) -> None:
    """Write the slide's word for some challenges above the name of the first of them."""
    axes.annotate(
        group, (0, 1), (-6, -2), "axes fraction", "offset points", ha="right", va="top",
        size=TEXT_SIZE, weight="bold", color=BLUE,
    )  # fmt: skip


def _draw_example_row(
    line: Sequence[Axes], challenge: Slice, images: Sequence[Tensor], *, named: bool
) -> None:
    columns = zip(line, challenge.severities, images, challenge.accuracy, strict=True)
    for axes, severity, image_CHW, accuracy in columns:
        show_image(axes, image_CHW)
        axes.set_xlabel(f"{100 * accuracy:.1f} %", size=SMALL_SIZE, color=INK, labelpad=2)
        if named:
            axes.set_title(f"severity {severity}", size=SMALL_SIZE, color=INK)
    line[0].set_ylabel(
        challenge.name, size=TEXT_SIZE, color=INK, rotation=0, ha="right", va="center", labelpad=6
    )
