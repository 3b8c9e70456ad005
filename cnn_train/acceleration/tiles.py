"""The transforms of Winograd's tiles, as sums over whole tensors; what they are for: winograd.py.

Each is a small matrix from the left and from the right, one dimension after the other: Bᵀ x B for a
patch of 6×6 pixels, Aᵀ p A for its products, and the transposes of both for the gradients.

Shape letters: b images at a time, C and O channels in and out, H W pixels, Y X tiles down and
across, P = 36 places in a patch, T = b·Y·X tiles.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

TILE, PATCH = 4, 6
PLACES = PATCH * PATCH


@dataclass(frozen=True)
class Tiles:
    """How maps of H×W are covered by tiles."""

    height: int
    width: int

    @property
    def down(self) -> int:
        """Y."""
        return -(-self.height // TILE)

    @property
    def across(self) -> int:
        """X."""
        return -(-self.width // TILE)

    @property
    def exact(self) -> bool:
        """Whether no tile overhangs the map."""
        return self.height % TILE == 0 == self.width % TILE

    @property
    def places(self) -> int:
        """Transformed numbers of one map."""
        return PLACES * self.down * self.across


def transform_patches(x_bHWC: Tensor, tiles: Tiles) -> Tensor:
    """Return Bᵀ x B for the 6×6 pixels that each tile is computed from: PTC."""
    num_images, height, width, channels = x_bHWC.shape
    down, across = tiles.down, tiles.across
    padded = x_bHWC.new_zeros(num_images, TILE * down + 2, TILE * across + 2, channels)
    padded[:, 1 : height + 1, 1 : width + 1] = x_bHWC
    rows = padded.new_empty(PATCH, num_images, down, TILE * across + 2, channels)
    _patch_sums([padded[:, i : i + TILE * down - 3 : TILE] for i in range(PATCH)], rows)
    places = padded.new_empty(PATCH, PATCH, num_images, down, across, channels)
    _patch_sums([rows[:, :, :, j : j + TILE * across - 3 : TILE] for j in range(PATCH)], places)
    return places.view(PLACES, -1, channels)


def collect_tiles(products_PTO: Tensor, y_bHWO: Tensor, tiles: Tiles) -> None:
    """Write Aᵀ p A of every tile into the maps."""
    num_images, height, width, channels = y_bHWO.shape
    down, across = tiles.down, tiles.across
    rows = products_PTO.new_empty(PATCH, num_images, down, across, TILE, channels)
    places = products_PTO.view(PATCH, PATCH, num_images, down, across, channels)
    _tile_sums(places.unbind(0), rows.unbind(4))
    shape = (num_images, down, TILE, TILE * across, channels)
    full = y_bHWO.view(shape) if tiles.exact else y_bHWO.new_empty(shape)
    _tile_sums(
        rows.view(PATCH, num_images, down, TILE * across, channels).unbind(0), full.unbind(2)
    )
    if not tiles.exact:
        y_bHWO.copy_(full.view(num_images, TILE * down, -1, channels)[:, :height, :width])


def spread_tiles(slope_bHWO: Tensor, tiles: Tiles) -> Tensor:
    """Return A s Aᵀ of every tile of the slope: PTO."""
    num_images, height, width, channels = slope_bHWO.shape
    down, across = tiles.down, tiles.across
    if not tiles.exact:
        overhang = (0, 0, 0, TILE * across - width, 0, TILE * down - height)
        slope_bHWO = F.pad(slope_bHWO, overhang)
    tiled = slope_bHWO.reshape(num_images, down, TILE, TILE * across, channels)
    rows = tiled.new_empty(PATCH, num_images, down, TILE * across, channels)
    _spread(tiled.unbind(2), rows)
    places = tiled.new_empty(PATCH, PATCH, num_images, down, across, channels)
    _spread(rows.view(PATCH, num_images, down, across, TILE, channels).unbind(4), places)
    return places.view(PLACES, -1, channels)


def add_patches(slope_PTC: Tensor, x_slope_bHWC: Tensor, tiles: Tiles) -> None:
    """Write B s Bᵀ of every patch into the maps; where patches overlap, they add up."""
    num_images, height, width, channels = x_slope_bHWC.shape
    down, across = tiles.down, tiles.across
    places = slope_PTC.view(PATCH, PATCH, num_images, down, across, channels)
    rows = places.new_empty(PATCH, num_images, down, across + 1, TILE, channels)
    _overlap(places.unbind(0), rows.unbind(4), axis=3)
    whole = places.new_empty(num_images, down + 1, TILE, TILE * (across + 1), channels)
    lines = rows.view(PATCH, num_images, down, TILE * (across + 1), channels).unbind(0)
    _overlap(lines, whole.unbind(2), axis=1)
    padded = whole.view(num_images, TILE * (down + 1), TILE * (across + 1), channels)
    x_slope_bHWC.copy_(padded[:, 1 : height + 1, 1 : width + 1])


def _patch_sums(x: Sequence[Tensor], out: Tensor) -> None:
    """Write Bᵀ x: six sums of six numbers, each computed for whole tensors."""
    x0, x1, x2, x3, x4, x5 = x
    even, odd = x4 - x2, x3 - x1
    torch.sub(x0, x2, out=out[0])
    torch.add(even, out[0], alpha=4, out=out[0])
    torch.add(even, odd, alpha=2, out=out[3])
    torch.sub(even, odd, alpha=2, out=out[4])
    torch.sub(x5, x3, out=out[5])
    out[5].sub_(odd, alpha=4)
    torch.sub(x4, x2, alpha=4, out=even)
    torch.sub(x3, x1, alpha=4, out=odd)
    torch.add(even, odd, out=out[1])
    torch.sub(even, odd, out=out[2])


def _tile_sums(p: Sequence[Tensor], out: Sequence[Tensor]) -> None:
    """Write Aᵀ p: four sums of six numbers."""
    near, far = p[1] + p[2], p[3] + p[4]
    torch.add(p[0], near, out=out[0])
    out[0].add_(far)
    torch.add(near, far, alpha=4, out=out[2])
    torch.sub(p[1], p[2], out=near)
    torch.sub(p[3], p[4], out=far)
    torch.add(near, far, alpha=2, out=out[1])
    torch.add(near, far, alpha=8, out=out[3])
    out[3].add_(p[5])


def _spread(s: Sequence[Tensor], out: Tensor) -> None:
    """Write A s: six sums of four numbers."""
    out[0].copy_(s[0])
    out[5].copy_(s[3])
    even, odd = s[0] + s[2], s[1] + s[3]
    torch.add(even, odd, out=out[1])
    torch.sub(even, odd, out=out[2])
    torch.add(s[0], s[2], alpha=4, out=even)
    torch.add(s[1], s[3], alpha=4, out=odd)
    torch.add(even, odd, alpha=2, out=out[3])
    torch.sub(even, odd, alpha=2, out=out[4])


def _overlap(s: Sequence[Tensor], out: Sequence[Tensor], *, axis: int) -> None:
    """Write B s, six numbers per patch, into every fourth line; the next patch starts at the fifth.

    ``out`` are the lines 0, 4, 8, …; 1, 5, …; 2, 6, …; 3, 7, …, one more of each than patches.
    """
    num_patches = s[0].shape[axis]
    first, second, third, fourth = (line.narrow(axis, 0, num_patches) for line in out)
    for line in out[:2]:
        line.narrow(axis, num_patches, 1).zero_()
    near, far, near_gap, far_gap = s[1] + s[2], s[3] + s[4], s[1] - s[2], s[3] - s[4]
    torch.mul(s[0], 4, out=first)
    torch.sub(s[5], near_gap, out=second)
    second.mul_(4).sub_(far_gap, alpha=2)
    torch.add(far, near, alpha=4, out=third)
    third.add_(s[0], alpha=5).neg_()
    torch.add(near_gap, far_gap, alpha=2, out=fourth)
    fourth.sub_(s[5], alpha=5)
    out[0].narrow(axis, 1, num_patches).add_(s[0]).add_(near).add_(far)
    out[1].narrow(axis, 1, num_patches).add_(s[5])
