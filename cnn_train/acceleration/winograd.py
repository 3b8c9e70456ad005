"""3×3 convolutions in a quarter of the multiplications, for training on a CPU in float32.

Winograd's algorithm F(4×4, 3×3) (Lavin and Gray, "Fast algorithms for convolutional neural
networks", 2016, arXiv:1509.09308) computes a tile of 4×4 results from a patch of 6×6 pixels: both
patch and filter are transformed, multiplied number by number, and transformed back. That takes
36 multiplications per pair of maps instead of 144. The 36 numbers are summed over the maps by 36
matrix products; the transforms are a few sums and cost less the more maps there are. In one
dimension, with * number by number::

    y = Aᵀ [(G w) * (Bᵀ x)]          x: 6 pixels, w: 3 weights, y: 4 results
    gradients: w ← Gᵀ [(Bᵀ x) * (A ȳ)],  x ← B [(G w) * (A ȳ)],  ȳ: the loss's slope at y

Rounding errors are some 4 times those of the direct sum: 2e-6 of the values. torch's own library
(oneDNN) has the algorithm too but never chooses it for training.

Shape letters: B minibatch, b images at a time, C and O channels in and out, H W pixels, k = 3,
Y X tiles down and across, P = 36 places in a patch, T = b·Y·X tiles.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

TILE, PATCH = 4, 6
PLACES = PATCH * PATCH

LEAST_SAVED = 2.0
"""Least factor of multiplications saved; borders that tiles overhang are computed for nothing."""

LEAST_GAIN = 120.0
"""Least saved multiplications per transformed number: with few maps, the transforms cost more."""

MIN_TILES = 64
"""Fewer make the matrix products too thin."""

NUMBERS_AT_ONCE = 2_000_000
"""Transformed numbers (8 MB) that stay in the processor's cache between the steps."""

FILTER_TRANSFORM = (  # G
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)


@dataclass(frozen=True)
class Tiles:
    """How maps of H×W are covered by tiles, and how many images are transformed at once."""

    height: int
    width: int
    channels: int

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
    def saved(self) -> float:
        """Direct multiplications per multiplication of the tiles; 4 without overhang."""
        return 9 * self.height * self.width / (PLACES * self.down * self.across)

    def pieces(self, num_images: int) -> Iterator[slice]:
        """Cut the minibatch into pieces that the cache holds."""
        size = max(1, NUMBERS_AT_ONCE // (PLACES * self.down * self.across * self.channels))
        return (slice(start, start + size) for start in range(0, num_images, size))


def saves_time(x_BCHW: Tensor, weight_OCkk: Tensor) -> bool:
    """Say whether a 3×3 convolution that keeps the map's size is faster by tiles."""
    num_images, channels, height, width = x_BCHW.shape
    out_channels = len(weight_OCkk)
    tiles = Tiles(height, width, channels)
    return (
        x_BCHW.dtype == weight_OCkk.dtype == torch.float32
        and weight_OCkk.shape[2:] == (3, 3)
        and tiles.saved >= LEAST_SAVED
        and tiles.saved * channels * out_channels / (channels + out_channels) >= LEAST_GAIN
        and num_images * tiles.down * tiles.across >= MIN_TILES
    )


class WinogradConvolution(torch.autograd.Function):
    """A 3×3 convolution of stride 1 that keeps the map's size; see the module."""

    @staticmethod
    def forward(ctx: Any, x_BCHW: Tensor, weight_OCkk: Tensor) -> Tensor:
        """Return the maps BOHW, in channels_last order."""
        filters_POC = transform_filters(weight_OCkk)
        ctx.save_for_backward(x_BCHW, weight_OCkk)
        x_BHWC = x_BCHW.permute(0, 2, 3, 1)
        num_images, height, width, channels = x_BHWC.shape
        out_channels = len(weight_OCkk)
        tiles = Tiles(height, width, max(channels, out_channels))
        y_BHWO = x_BHWC.new_empty(num_images, height, width, out_channels)
        for piece in tiles.pieces(num_images):
            patches_PTC = transform_patches(x_BHWC[piece], tiles)
            products_PTO = torch.bmm(patches_PTC, filters_POC.mT)
            collect_tiles(products_PTO, y_BHWO[piece], tiles)
        return y_BHWO.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope_BOHW: Tensor) -> Any:
        """Return the gradients with respect to the maps and the filters.

        The patches are transformed again: keeping them would take two to three times the memory.
        """
        x_BCHW, weight_OCkk = ctx.saved_tensors
        wants_x, wants_weight = ctx.needs_input_grad
        filters_POC = transform_filters(weight_OCkk)
        x_BHWC, slope_BHWO = x_BCHW.permute(0, 2, 3, 1), slope_BOHW.permute(0, 2, 3, 1)
        num_images, height, width, channels = x_BHWC.shape
        tiles = Tiles(height, width, max(filters_POC.shape[1:]))
        x_slope_BHWC = x_BHWC.new_empty(num_images, height, width, channels) if wants_x else None
        filter_slope_POC = torch.zeros_like(filters_POC)
        for piece in tiles.pieces(num_images):
            slope_PTO = spread_tiles(slope_BHWO[piece], tiles)
            if wants_weight:
                patches_PTC = transform_patches(x_BHWC[piece], tiles)
                filter_slope_POC.baddbmm_(slope_PTO.mT, patches_PTC)
            if x_slope_BHWC is not None:
                add_patches(torch.bmm(slope_PTO, filters_POC), x_slope_BHWC[piece], tiles)
        x_slope = x_slope_BHWC.permute(0, 3, 1, 2) if x_slope_BHWC is not None else None
        return x_slope, restore_filters(filter_slope_POC) if wants_weight else None


def _filter_matrix(like: Tensor) -> Tensor:
    """Return G ⊗ G (36×9), which transforms a whole filter."""
    matrix = torch.tensor(FILTER_TRANSFORM, dtype=like.dtype)
    return torch.kron(matrix, matrix)


def transform_filters(weight_OCkk: Tensor) -> Tensor:
    """Return G w Gᵀ for every filter: POC."""
    out_channels, in_channels = weight_OCkk.shape[:2]
    weight_9N = weight_OCkk.permute(3, 2, 0, 1).reshape(9, -1)  # places count across, then down
    return (_filter_matrix(weight_OCkk) @ weight_9N).view(PLACES, out_channels, in_channels)


def restore_filters(slope_POC: Tensor) -> Tensor:
    """Return Gᵀ s G for every filter: OCkk."""
    slope_9N = _filter_matrix(slope_POC).T @ slope_POC.flatten(1)
    return slope_9N.view(3, 3, *slope_POC.shape[1:]).permute(2, 3, 1, 0)


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
