"""The images that a model is most certainly wrong about.

Shape letters: N images, C channels, H W pixels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from .style import BLUE, INK, ORANGE, SMALL_SIZE, TEXT_SIZE, hide_axes, make_figure, shorten

NUM_COLUMNS = 6


@dataclass(frozen=True)
class Mistake:
    """One image with a wrong prediction; ``certainty`` says how sure the model was, in words."""

    image_CHW: Tensor
    name: str
    true_label: str
    predicted_label: str
    certainty: str


def draw_mistakes(mistakes: Sequence[Mistake], title: str) -> Figure:
    """Draw each image with its true and its predicted class and the model's certainty."""
    num_columns = min(NUM_COLUMNS, max(len(mistakes), 4))
    num_rows = max(math.ceil(len(mistakes) / num_columns), 1)
    figure = make_figure(1.6 * num_columns, 2.15 * num_rows + 0.5, title)
    panels = figure.subplots(num_rows, num_columns, squeeze=False).ravel()
    for axes in panels:
        hide_axes(axes)
    for axes, mistake in zip(panels, mistakes, strict=False):
        _draw_mistake(axes, mistake)
    if not mistakes:
        figure.text(0.5, 0.45, "no mistakes", ha="center", size=TEXT_SIZE, color=INK)
    return figure


def _draw_mistake(axes: Axes, mistake: Mistake) -> None:
    show_image(axes, mistake.image_CHW)
    lines = (
        (shorten(mistake.true_label, 20), BLUE),
        (f"→ {shorten(mistake.predicted_label, 18)}", ORANGE),
        (mistake.certainty, INK),
        (shorten(mistake.name, 24, keep_end=True), INK),
    )
    for i, (text, color) in enumerate(lines):
        axes.annotate(
            text, (0, 0), (0, -3 - 10.5 * i), "axes fraction", "offset points", va="top",
            size=SMALL_SIZE if i < 3 else SMALL_SIZE - 2, color=color, parse_math=False,
        )  # fmt: skip


def show_image(axes: Axes, image_CHW: Tensor) -> None:
    """Show a uint8 image, grey (C = 1) or RGB, enlarged with crisp pixels."""
    rgb_HWC = image_CHW.expand(3, -1, -1).permute(1, 2, 0)
    axes.imshow(rgb_HWC.numpy(), interpolation="nearest")
    hide_axes(axes)
