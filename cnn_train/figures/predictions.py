"""What a model says about single images, beside what it saw of them.

Shape letters: C channels, H W pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from .mistakes import show_image
from .style import BLUE, GREY, INK, SMALL_SIZE, make_figure, shorten, style_axes, with_minus


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
    """Draw a row per image: the enlarged pixels and a bar for each of the best classes."""
    assert panels
    num_bars = max(len(panel.labels) for panel in panels)
    row_height = max(1.9, 0.3 * num_bars + 0.9)
    figure = make_figure(7.0, row_height * len(panels) + 0.6, title)
    grid = figure.subplots(len(panels), 2, squeeze=False, width_ratios=(1, 2))
    for (picture, bars), panel in zip(grid, panels, strict=True):
        show_image(picture, panel.image_CHW)
        _draw_bars(bars, panel, probabilities=probabilities)
    return figure


def _draw_bars(axes: Axes, panel: PredictionPanel, *, probabilities: bool) -> None:
    rows = range(len(panel.labels))
    colors = [BLUE, *[GREY] * (len(panel.labels) - 1)]
    bars = axes.barh(rows, panel.values, color=colors, height=0.7)
    texts = [f"{100 * v:.1f} %" if probabilities else with_minus(f"{v:.2f}") for v in panel.values]
    axes.bar_label(bars, texts, padding=3, size=SMALL_SIZE, color=INK)
    style_axes(
        axes,
        title=shorten(panel.name, 48, keep_end=True),
        x="probability" if probabilities else "score (not a probability)",
    )
    axes.set_yticks(rows, [shorten(label, 24) for label in panel.labels], parse_math=False)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    if probabilities:
        axes.set_xlim(0, 1.15)  # room for the number beside a full bar
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "25 %", "50 %", "75 %", "100 %"])
    else:
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.margins(x=0.15)
