"""Which classes a model confuses with which.

Shape letters: K classes.
"""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from torch import Tensor

from .style import INK, SMALL_SIZE, TEXT_SIZE, make_figure, shorten_apart, style_axes, style_bar

MOST_CLASSES_WITH_NUMBERS = 20
MOST_CLASSES_WITH_NAMES = 60


def draw_confusion(confusion_KK: Tensor, class_names: Sequence[str], title: str) -> Figure:
    """Draw the counts (rows true, columns predicted), shaded by their share of the true class.

    The shade follows the share's square root, so that rare confusions show beside the diagonal.
    Up to twenty classes the counts stand in the cells; above sixty the names are left out.
    """
    num_classes = len(class_names)
    size = min(max(4.5, 0.55 * num_classes + 1.8), 12.0)
    figure = make_figure(size + 1.1, size, title)
    axes = figure.add_subplot()
    share_KK = (confusion_KK / confusion_KK.sum(dim=1, keepdim=True).clamp(min=1)).numpy()
    picture = axes.imshow(100 * share_KK, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=100))
    style_axes(axes, x="predicted class", y="true class", grid=False)
    axes.spines[:].set_visible(False)
    if num_classes <= MOST_CLASSES_WITH_NAMES:
        names = shorten_apart(class_names, 18)
        slanted: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(range(num_classes), names, parse_math=False, **slanted)
        axes.set_yticks(range(num_classes), names, parse_math=False)
    if num_classes <= MOST_CLASSES_WITH_NUMBERS:
        _write_counts(axes, confusion_KK, share_KK.tolist())
    bar = figure.colorbar(picture, ax=axes, shrink=0.8, pad=0.02, ticks=[0, 1, 5, 20, 50, 100])
    bar.set_label("share of the true class (%), square-root scale", size=TEXT_SIZE, color=INK)
    style_bar(bar)
    return figure


def _write_counts(axes: Axes, confusion_KK: Tensor, shares: list[list[float]]) -> None:
    for row, counts in enumerate(confusion_KK.tolist()):
        for column, count in enumerate(counts):
            if count:
                dark = shares[row][column] > 0.36  # where the shade is past its middle
                axes.text(
                    column, row, f"{count:,}", ha="center", va="center", size=SMALL_SIZE,
                    color="white" if dark else "black",
                )  # fmt: skip
