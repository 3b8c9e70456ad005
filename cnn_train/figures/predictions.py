"""What a model says about single images, beside what it saw of them.

Shape letters: C channels, H W pixels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from .mistakes import show_image
from .style import (
    BLUE,
    GREY,
    INK,
    SMALL_SIZE,
    TEXT_SIZE,
    make_figure,
    shorten,
    shorten_apart,
    style_axes,
    with_minus,
)

CELL_INCHES = 5.0


@dataclass(frozen=True)
class PredictionPanel:
    """One image as the network saw it, and its best classes with their values, best first.

    image_CHW: uint8. values: probabilities in [0, 1], or scores of any size.
    """

    image_CHW: Tensor
    name: str
    labels: tuple[str, ...]
    values: tuple[float, ...]


def draw_predictions(
    panels: Sequence[PredictionPanel], *, probabilities: bool, title: str
) -> Figure:
    """Draw each image, enlarged, beside a bar for each of its best classes: about a square."""
    assert panels
    num_bars = max(len(panel.labels) for panel in panels)
    row_inches = max(1.9, 0.3 * num_bars + 0.9)
    num_columns = max(1, round(math.sqrt(len(panels) * row_inches / CELL_INCHES)))
    num_rows = math.ceil(len(panels) / num_columns)
    figure = make_figure(max(CELL_INCHES * num_columns, 7.0), row_inches * num_rows + 0.6, title)
    ratios = (1, 2) * num_columns
    grid = figure.subplots(num_rows, 2 * num_columns, squeeze=False, width_ratios=ratios)
    cells = grid.reshape(-1, 2)
    for (picture, bars), panel in zip(cells, panels, strict=False):
        show_image(picture, panel.image_CHW)
        picture.set_anchor("NW")
        name = shorten(panel.name, 48, keep_end=True)
        picture.set_title(name, size=TEXT_SIZE + 1, color=INK, loc="left", parse_math=False)
        _draw_bars(bars, panel, probabilities=probabilities)
    for axes in cells[len(panels) :].ravel():
        axes.set_visible(False)
    return figure


def _draw_bars(axes: Axes, panel: PredictionPanel, *, probabilities: bool) -> None:
    rows = range(len(panel.labels))
    colors = [BLUE, *[GREY] * (len(panel.labels) - 1)]
    bars = axes.barh(rows, panel.values, color=colors, height=0.7)
    texts = [f"{100 * v:.1f} %" if probabilities else with_minus(f"{v:.2f}") for v in panel.values]
    axes.bar_label(bars, texts, padding=3, size=SMALL_SIZE, color=INK)
    style_axes(axes, x="probability" if probabilities else "score (not a probability)")
    axes.set_yticks(rows, shorten_apart(panel.labels, 20), parse_math=False)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    if probabilities:
        axes.set_xlim(0, 1.15)  # room for the number beside a full bar
        axes.set_xticks([0, 0.5, 1.0], ["0", "50 %", "100 %"])
    else:
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.margins(x=0.15)
