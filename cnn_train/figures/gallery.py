"""Many small pictures in titled rows, each pixel enlarged to an equal square.

Shape letters: H W pixels of a picture or of the sheet, C colours (3).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from .contact_sheet import MARGIN_PX, TITLE_FONT, WHITE, make_exact_panel, text_width_px
from .style import GREY, INK, SMALL_SIZE, TEXT_SIZE, hide_axes, shorten, with_minus

WIDTH_PX = 1836
"""Six tiles of 3 × 3 pictures, each of them 96 px: 32 × 3."""
LARGEST_TILE_PX = 296
LEAST_FILLED = 0.95
"""A picture that equal pixels would leave smaller than this share of its tile is drawn as large."""
GAP_PX = 12
INNER_GAP_PX = 4
LINE_PX = 20
HEADING_PX = 60
DESCENDER_PX = 4
BELOW_HEADING_PX = 8
BAR_WIDTH_PX, BAR_HEIGHT_PX = 160, 14
CHARACTER_PX = 8.6
"""The mean width of a letter of the small size; titles are cut to their tile by it."""

ColoursName = Literal["viridis", "magma", "RdBu_r"]


@dataclass(frozen=True)
class Scale:
    """What the colours of a section's maps mean: ``low`` to ``high`` of ``name``.

    ``cuts``: whether there are values below ``low`` and above ``high``, as the bar then says.
    """

    name: str
    low: float
    high: float
    colours: ColoursName = "viridis"
    cuts: tuple[bool, bool] = (False, False)

    def colour(self, map_HW: Tensor) -> Tensor:
        """Return the colours HWC (uint8) of values; those beyond the ends take the ends'."""
        share_HW = (map_HW.float() - self.low) / max(self.high - self.low, 1e-12)
        rgba_HWC = colormaps[self.colours](share_HW.clamp(0, 1).numpy(), bytes=True)
        return torch.from_numpy(rgba_HWC[..., :3])


@dataclass(frozen=True)
class Tile:
    """One or several pictures HWC (uint8) in a square, under at most two lines of title."""

    title: str
    pictures: Sequence[Tensor]


@dataclass(frozen=True)
class Section:
    """Rows of tiles under a heading, with a colour bar where a ``scale`` is given.

    per_tile: how many pictures a tile has room for, so that all tiles have the same grid.
    """

    heading: str
    tiles: Sequence[Tile]
    num_columns: int
    per_tile: int = 1
    scale: Scale | None = None
    num_title_lines: int = 1

    @property
    def tile_px(self) -> int:
        """The side of a tile, so large that pictures enlarged by a whole number fill it."""
        room_px = min((WIDTH_PX + GAP_PX) // self.num_columns - GAP_PX, LARGEST_TILE_PX)
        per_row = math.ceil(math.sqrt(self.per_tile))
        cell_px = (room_px - (per_row - 1) * INNER_GAP_PX) // per_row
        sides = [max(picture.shape[:2]) for tile in self.tiles for picture in tile.pictures]
        largest = max(sides, default=1)
        if largest <= cell_px:
            cell_px -= cell_px % largest
        return per_row * cell_px + (per_row - 1) * INNER_GAP_PX

    @property
    def row_px(self) -> int:
        """The height of a row of tiles with its titles and the gap below."""
        return self.num_title_lines * LINE_PX + 4 + self.tile_px + GAP_PX

    @property
    def height_px(self) -> int:
        """The height of heading and rows."""
        return HEADING_PX + math.ceil(len(self.tiles) / self.num_columns) * self.row_px


def draw_gallery(sections: Sequence[Section], title: str) -> Figure:
    """Draw the sections one below the other."""
    assert sections and all(section.tiles for section in sections)
    width_px = max(max(map(_needed_width_px, sections)), text_width_px(title, TITLE_FONT))
    height_px = sum(section.height_px for section in sections)
    sheet_HWC = torch.full((height_px, width_px, 3), WHITE, dtype=torch.uint8)
    figure, axes = make_exact_panel(
        width_px, height_px, left_px=MARGIN_PX, right_px=MARGIN_PX, top_px=2 * MARGIN_PX
    )
    top = 0
    for section in sections:
        _draw_section(axes, sheet_HWC, section, top)
        top += section.height_px
    axes.imshow(sheet_HWC.numpy(), aspect="auto", interpolation="nearest")
    hide_axes(axes)
    axes.set_title(title, loc="left", fontproperties=TITLE_FONT, color=INK, parse_math=False)
    return figure


def _needed_width_px(section: Section) -> int:
    bar_px = 0
    if section.scale:
        words = " ".join((section.scale.name, "", *_ends(section.scale)))
        bar_px = BAR_WIDTH_PX + _text_px(words) + 3 * GAP_PX
    row_px = min(section.num_columns, len(section.tiles)) * (section.tile_px + GAP_PX) - GAP_PX
    return max(row_px, _text_px(section.heading, TEXT_SIZE + 1) + bar_px)


def _text_px(text: str, size: float = SMALL_SIZE) -> int:
    """Estimate the width of a line from its number of letters: to measure it would be slow."""
    return round(len(text) * CHARACTER_PX * size / SMALL_SIZE)


def _draw_section(axes: Axes, sheet_HWC: Tensor, section: Section, top: int) -> None:
    bottom = top + HEADING_PX - BELOW_HEADING_PX
    _write(axes, 0, bottom, section.heading, size=TEXT_SIZE + 1)
    if section.scale:
        _draw_bar(axes, sheet_HWC, section.scale, bottom - 4)
    for index, tile in enumerate(section.tiles):
        row, column = divmod(index, section.num_columns)
        left = column * (section.tile_px + GAP_PX)
        above = top + HEADING_PX + row * section.row_px
        below_titles = above + section.num_title_lines * LINE_PX + 4
        for line, words in enumerate(tile.title.split("\n", section.num_title_lines - 1)):
            most = int(section.tile_px / CHARACTER_PX)
            bottom = above + (line + 1) * LINE_PX
            _write(axes, left, bottom, shorten(words, most), color=INK if line == 0 else GREY)
        rows = slice(below_titles, below_titles + section.tile_px)
        columns = slice(left, left + section.tile_px)
        sheet_HWC[rows, columns] = arrange(tile.pictures, section.tile_px, section.per_tile)


def _draw_bar(axes: Axes, sheet_HWC: Tensor, scale: Scale, bottom: int) -> None:
    """Draw the colours from low to high at the right end of a heading's line, and its numbers."""
    right = sheet_HWC.shape[1]
    low, high = _ends(scale)
    left = right - _text_px(f" {high}") - BAR_WIDTH_PX
    ramp_HW = torch.linspace(scale.low, scale.high, BAR_WIDTH_PX).expand(BAR_HEIGHT_PX, -1)
    sheet_HWC[bottom - BAR_HEIGHT_PX : bottom, left : left + BAR_WIDTH_PX] = scale.colour(ramp_HW)
    _write(axes, left - GAP_PX // 2, bottom, f"{scale.name}  {low}", ha="right")
    _write(axes, right, bottom, f" {high}", ha="right")


def _ends(scale: Scale) -> tuple[str, str]:
    """Write the numbers at both ends of the colour bar."""
    low, high = (with_minus(f"{end:.3g}") for end in (scale.low, scale.high))
    below, above = scale.cuts
    return "≤ " * below + low, "≥ " * above + high


def _write(axes: Axes, left: int, bottom: int, text: str, **look: Any) -> None:
    """Write a line into the pixels of the sheet above ``bottom``, from ``left`` or up to it."""
    usual: dict[str, Any] = {"size": SMALL_SIZE, "color": INK}
    axes.text(left - 0.5, bottom - DESCENDER_PX, text, parse_math=False, **(usual | look))


def arrange(pictures: Sequence[Tensor], side_px: int, room_for: int = 1) -> Tensor:
    """Return a square HWC of ``side_px`` with the pictures in equal cells; empty cells are white.

    A picture is enlarged by a whole number, so that its pixels are equal squares, where that about
    fills its cell; else it is brought to the cell's size with soft edges of a pixel.
    """
    square_HWC = torch.full((side_px, side_px, 3), WHITE, dtype=torch.uint8)
    per_row = math.ceil(math.sqrt(room_for))
    cell_px = (side_px - (per_row - 1) * INNER_GAP_PX) // per_row
    for index, picture_HWC in enumerate(pictures[:room_for]):
        row, column = divmod(index, per_row)
        drawn_HWC = fit(picture_HWC, cell_px)
        top, left = row * (cell_px + INNER_GAP_PX), column * (cell_px + INNER_GAP_PX)
        height, width = drawn_HWC.shape[:2]
        square_HWC[top : top + height, left : left + width] = drawn_HWC
    return square_HWC


def fit(picture_HWC: Tensor, side_px: int) -> Tensor:
    """Enlarge a picture by a whole number if that about fills ``side_px``, or make it fit."""
    longer = max(picture_HWC.shape[:2])
    zoom = side_px // longer
    if zoom * longer < LEAST_FILLED * side_px:
        zoom += 1
    zoomed_HWC = picture_HWC.repeat_interleave(zoom, dim=0).repeat_interleave(zoom, dim=1)
    if zoom * longer <= side_px:
        return zoomed_HWC
    height, width = (max(1, side * side_px // longer) for side in picture_HWC.shape[:2])
    picture_1CHW = zoomed_HWC.permute(2, 0, 1)[None].float()
    reduced = F.interpolate(picture_1CHW, size=(height, width), mode="bilinear", antialias=True)
    return reduced[0].round().to(torch.uint8).permute(1, 2, 0)
