"""An image as the computer sees it: the file, the network's pixels, three channels, numbers.

Shape letters: C channels, H W pixels.
"""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from .mistakes import show_image
from .style import BLUE, GREEN, INK, ORANGE, SMALL_SIZE, make_figure, style_axes

CHANNELS = (("red", ORANGE), ("green", GREEN), ("blue", BLUE))
EXCERPT_PX = 12
LIGHT_LEVEL = 128
"""Numbers on lighter pixels are written in ink, on darker ones in white."""


def draw_pixels(image_CHW: Tensor, seen_CHW: Tensor, *, title: str) -> Figure:
    """Draw a file's image, the network's view of it, its channels, and a part as numbers."""
    figure = make_figure(11.0, 7.0, title)
    halves = figure.add_gridspec(2, 1, height_ratios=(1, 1.55))
    pictures = figure.add_subfigure(halves[0]).subplots(1, 5)
    tables = figure.add_subfigure(halves[1]).subplots(1, 3)
    _draw_file(pictures[0], image_CHW)
    side_px = seen_CHW.shape[1]
    _show(pictures[1], seen_CHW, f"the network's {side_px} × {seen_CHW.shape[2]}")
    start = max(side_px - EXCERPT_PX, 0) // 2
    part = slice(start, start + EXCERPT_PX)
    for axes, table, channel_HW, (name, color) in zip(
        pictures[2:], tables, seen_CHW, CHANNELS, strict=True
    ):
        _show(axes, channel_HW[None], name)
        _frame(axes, (start - 0.5, start - 0.5), min(EXCERPT_PX, side_px), color)
        _draw_numbers(table, channel_HW[part, part], name, color)
    return figure


def _draw_file(axes: Axes, image_CHW: Tensor) -> None:
    """Draw the file's image with fewer pixels, and the square of it that the network sees."""
    _, height, width = image_CHW.shape
    step = max(1, max(height, width) // 512)
    axes.imshow(image_CHW[:, ::step, ::step].permute(1, 2, 0).numpy(), extent=(0, width, height, 0))
    style_axes(axes, title=f"the file: {width} × {height}", grid=False)
    axes.set(xticks=[], yticks=[])
    side = min(height, width)
    _frame(axes, ((width - side) / 2, (height - side) / 2), side, ORANGE)


def _show(axes: Axes, image_CHW: Tensor, title: str, color: str = INK) -> None:
    show_image(axes, image_CHW)
    axes.set_title(title, size=SMALL_SIZE + 2, color=color, loc="left")


def _frame(axes: Axes, corner: tuple[float, float], side: int, color: str) -> None:
    axes.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=color, linewidth=1.5))


def _draw_numbers(axes: Axes, part_HW: Tensor, name: str, color: str) -> None:
    _show(axes, part_HW[None], f"{name}: the numbers in the frame", color)
    for row, levels in enumerate(part_HW.tolist()):
        for column, level in enumerate(levels):
            ink = INK if level > LIGHT_LEVEL else "white"
            axes.text(
                column, row, str(level), ha="center", va="center", size=SMALL_SIZE - 1, color=ink
            )
