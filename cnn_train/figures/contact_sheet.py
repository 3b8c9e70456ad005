"""The first examples of every class, side by side: look at your data before you train on it.

Shape letters: H W pixels of one image or of the whole sheet, C channels.
"""

import math

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from torch import Tensor

from ..data.image_set import ImageSet
from .fonts import boxes_tolerated, find_fonts
from .saving import DOTS_PER_INCH
from .style import INK, TEXT_SIZE, TITLE_SIZE, hide_axes, shorten_apart

CELL_PX = 96
"""The longest side of a drawn example; smaller images are enlarged by a whole number."""
MARGIN_PX = 24
NAME_LENGTH = 24
NAME_FONT = FontProperties(size=TEXT_SIZE)
TITLE_FONT = FontProperties(size=TITLE_SIZE, weight="bold")
WHITE = 255


def draw_contact_sheet(images: ImageSet, *, per_class: int = 10, title: str = "") -> Figure:
    """Draw one row per class: its name and its first ``per_class`` examples, pixels crisp.

    A class that has fewer leaves the rest of its row white.
    """
    sheet_HWC = arrange_by_class(images, per_class)
    names = shorten_apart(images.class_names, NAME_LENGTH)
    height_px, width_px = (round(_zoom(images) * side) for side in sheet_HWC.shape[:2])
    names_px = max(text_width_px(name, NAME_FONT) for name in names)
    title_px = text_width_px(title, TITLE_FONT)
    figure, axes = make_exact_panel(
        width_px, height_px, left_px=names_px + 2 * MARGIN_PX,
        right_px=MARGIN_PX + max(0, title_px - width_px), top_px=MARGIN_PX * (3 if title else 1),
    )  # fmt: skip
    interpolation = "nearest" if _zoom(images) >= 1 else "hanning"
    axes.imshow(sheet_HWC.numpy(), aspect="auto", interpolation=interpolation)
    hide_axes(axes)
    height = images.image_shape[1]
    middles = [row * (height + _gap(height)) + (height - 1) / 2 for row in range(len(names))]
    axes.set_yticks(middles, names, fontproperties=NAME_FONT, color=INK, parse_math=False)
    axes.tick_params(axis="y", length=0, pad=6)
    axes.set_title(
        title, loc="left", pad=10, fontproperties=TITLE_FONT, color=INK, parse_math=False
    )
    return figure


def arrange_by_class(images: ImageSet, per_class: int) -> Tensor:
    """Return one uint8 RGB picture (HWC): a row for each class, white lines between images."""
    _, height, width = images.image_shape
    row_pitch, column_pitch = height + _gap(height), width + _gap(width)
    num_rows = len(images.class_names)
    num_columns = min(per_class, int(images.labels_N.bincount().max()))
    sheet_HWC = torch.full(
        (num_rows * row_pitch, num_columns * column_pitch, 3), WHITE, dtype=torch.uint8
    )
    for label in range(num_rows):
        first = (images.labels_N == label).nonzero().flatten()[:num_columns]
        for column, image_CHW in enumerate(images.images_NCHW[first]):
            top, left = label * row_pitch, column * column_pitch
            sheet_HWC[top : top + height, left : left + width] = image_CHW.permute(1, 2, 0)
    return sheet_HWC[: -_gap(height), : -_gap(width)]


def _gap(side: int) -> int:
    """Return the width of the white line after an image with ``side`` pixels, in its pixels."""
    return max(1, side // 32)


def _zoom(images: ImageSet) -> float:
    """Return how many device pixels one image pixel gets: a whole number, or less than one."""
    longer_side = max(images.image_shape[1:])
    return CELL_PX // longer_side or CELL_PX / longer_side


def text_width_px(text: str, font: FontProperties) -> int:
    """Return a line's width, with a dollar, which would start a formula, as wide as an S."""
    text, font = text.strip(), font.copy()
    if not text:
        return 0
    font.set_family(find_fonts(text)[0])
    with boxes_tolerated():
        width_points = TextPath((0, 0), text.replace("$", "S"), prop=font).get_extents().width
    return math.ceil(max(float(width_points), 0) * DOTS_PER_INCH / 72)  # negative: without ink


def make_exact_panel(
    width_px: int, height_px: int, *, left_px: int, right_px: int, top_px: int
) -> tuple[Figure, Axes]:
    """Make a figure around one panel of exactly ``width_px`` × ``height_px`` device pixels.

    A layout engine would resize the panel, and enlarged pixels would become unequal.
    """
    total_width_px, total_height_px = left_px + width_px + right_px, top_px + height_px + MARGIN_PX
    inches = (total_width_px / DOTS_PER_INCH, total_height_px / DOTS_PER_INCH)
    figure = Figure(inches, dpi=DOTS_PER_INCH, facecolor="white")
    left, width = left_px / total_width_px, width_px / total_width_px
    bottom, height = MARGIN_PX / total_height_px, height_px / total_height_px
    return figure, figure.add_axes((left, bottom, width, height))
