"""The first examples of every class, side by side: look at your data before you train on it.

Shape letters: H W pixels of one image or of the whole sheet, C channels.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from torch import Tensor

from ..data.image_set import ImageSet
from .fonts import boxes_tolerated, find_fonts
from .saving import DOTS_PER_INCH
from .style import INK, SMALL_SIZE, TEXT_SIZE, TITLE_SIZE, hide_axes, shorten, shorten_apart

CELL_PX = 96
"""The longest side of a drawn example; smaller images are enlarged by a whole number."""
MARGIN_PX = 24
CAPTION_PX, CAPTION_SIZE = 16, SMALL_SIZE - 2.5
CAPTION_LENGTH = 13
"""Letters of this size that fit below an image."""
NAME_LENGTH = 24
NAME_FONT = FontProperties(size=TEXT_SIZE)
TITLE_FONT = FontProperties(size=TITLE_SIZE, weight="bold")
WHITE = 255


def draw_contact_sheet(
    images: ImageSet, *, per_class: int = 10, title: str = "", captions: Sequence[str] = ()
) -> Figure:
    """Draw one row per class: its name and its first ``per_class`` examples, pixels crisp.

    A class that has fewer leaves the rest of its row white. ``captions``: a line below each image.
    """
    row_gap = math.ceil(CAPTION_PX / _zoom(images)) if captions else _gap(images.image_shape[1])
    sheet_HWC = arrange_by_class(images, per_class, row_gap)
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
    middles = [row * (height + row_gap) + (height - 1) / 2 for row in range(len(names))]
    axes.set_yticks(middles, names, fontproperties=NAME_FONT, color=INK, parse_math=False)
    axes.tick_params(axis="y", length=0, pad=6)
    axes.set_title(
        title, loc="left", pad=10, fontproperties=TITLE_FONT, color=INK, parse_math=False
    )
    for index, top, left in places_by_class(images, per_class, row_gap) if captions else ():
        below = left + images.image_shape[2] / 2, top + height
        axes.text(
            *below, shorten(captions[index], CAPTION_LENGTH), size=CAPTION_SIZE, color=INK,
            ha="center", va="top", parse_math=False,
        )  # fmt: skip
    return figure


def arrange_by_class(images: ImageSet, per_class: int, row_gap: int) -> Tensor:
    """Return one uint8 RGB picture (HWC): a row for each class, white between images."""
    _, height, width = images.image_shape
    num_columns = min(per_class, int(images.labels_N.bincount().max()))
    size = (
        len(images.class_names) * (height + row_gap) - row_gap,
        num_columns * (width + _gap(width)) - _gap(width),
    )
    sheet_HWC = torch.full((*size, 3), WHITE, dtype=torch.uint8)
    for index, top, left in places_by_class(images, per_class, row_gap):
        image_CHW = images.images_NCHW[index]
        sheet_HWC[top : top + height, left : left + width] = image_CHW.permute(1, 2, 0)
    return sheet_HWC


def places_by_class(
    images: ImageSet, per_class: int, row_gap: int
) -> Iterator[tuple[int, int, int]]:
    """Yield the index of each image that is shown, and its row and column on the sheet."""
    _, height, width = images.image_shape
    for label in range(len(images.class_names)):
        first = (images.labels_N == label).nonzero().flatten()[:per_class].tolist()
        for column, index in enumerate(first):
            yield index, label * (height + row_gap), column * (width + _gap(width))


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
