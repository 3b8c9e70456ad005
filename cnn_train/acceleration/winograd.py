"""3×3 convolutions in a quarter of the multiplications, for training on a CPU in float32.

Winograd's algorithm F(4×4, 3×3) (Lavin and Gray, "Fast algorithms for convolutional neural
networks", 2016, arXiv:1509.09308) computes a tile of 4×4 results from a patch of 6×6 pixels: both
patch and filter are transformed, multiplied number by number, and transformed back. That takes
36 multiplications per tile and pair of maps instead of 144. The 36 numbers are summed over the
maps by 36 matrix products; the transforms (``tiles.py``) are a few sums, and cost less the more
maps there are. In one dimension, with * number by number::

    y = Aᵀ [(G w) * (Bᵀ x)]          x: 6 pixels, w: 3 weights, y: 4 results
    gradients: w ← Gᵀ [(Bᵀ x) * (A ȳ)],  x ← B [(G w) * (A ȳ)],  ȳ: the loss's slope at y

Rounding errors are some 4 times those of the direct sum: 2e-6 of the values. torch's own library
(oneDNN) has the algorithm too but never chooses it for training.

Shape letters: B minibatch, C and O channels in and out, H W pixels, k = 3, P = 36 places in a
patch, T tiles.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .tiles import PLACES, Tiles, add_patches, collect_tiles, spread_tiles, transform_patches

LEAST_FACTOR = 2.0
"""Least ratio of multiplications: where tiles overhang the border, results are thrown away."""

LEAST_WORK = 120.0
"""Least direct multiplications per transformed number: with few maps, the transforms cost more."""

MIN_TILES = 64
"""Fewer make the matrix products too thin."""

NUMBERS_AT_ONCE = 2_000_000
"""Transformed numbers (8 MB) that stay in the processor's cache between the steps."""

MOST_NUMBERS = 40_000_000
"""Most transformed numbers (160 MB) of one image, or of the filters: memory would run short."""

FILTER_TRANSFORM = (  # G
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)


def saves_time(x_BCHW: Tensor, weight_OCkk: Tensor) -> bool:
    """Say whether a 3×3 convolution that keeps the map's size is faster by tiles."""
    num_images, channels, height, width = x_BCHW.shape
    filters = len(weight_OCkk)
    tiles = Tiles(height, width)
    factor = 9 * height * width / tiles.places  # 4 without overhang
    return (
        x_BCHW.dtype == weight_OCkk.dtype == torch.float32
        and weight_OCkk.shape[2:] == (3, 3)
        and factor >= LEAST_FACTOR
        and factor * channels * filters / (channels + filters) >= LEAST_WORK
        and num_images * tiles.down * tiles.across >= MIN_TILES
        and max(tiles.places * max(channels, filters), PLACES * channels * filters) <= MOST_NUMBERS
    )


def pieces(num_images: int, most_channels: int, tiles: Tiles) -> Iterator[slice]:
    """Cut the minibatch into pieces that the cache holds."""
    size = max(1, NUMBERS_AT_ONCE // (tiles.places * most_channels))
    return (slice(start, start + size) for start in range(0, num_images, size))


class WinogradConvolution(torch.autograd.Function):
    """A 3×3 convolution of stride 1 that keeps the map's size; see the module."""

    @staticmethod
    def forward(ctx: Any, x_BCHW: Tensor, weight_OCkk: Tensor) -> Tensor:
        """Return the maps BOHW, in channels_last order."""
        filters_POC = transform_filters(weight_OCkk)
        ctx.save_for_backward(x_BCHW, weight_OCkk)
        x_BHWC = x_BCHW.permute(0, 2, 3, 1)
        num_images, height, width, channels = x_BHWC.shape
        filters = len(weight_OCkk)
        tiles = Tiles(height, width)
        shape, last = (num_images, filters, height, width), torch.channels_last
        y_BOHW = torch.empty(shape, dtype=x_BCHW.dtype, memory_format=last)
        # a view could not be changed in place
        y_BHWO = y_BOHW.permute(0, 2, 3, 1)
        for piece in pieces(num_images, max(channels, filters), tiles):
            patches_PTC = transform_patches(x_BHWC[piece], tiles)
            products_PTO = torch.bmm(patches_PTC, filters_POC.mT)
            collect_tiles(products_PTO, y_BHWO[piece], tiles)
        return y_BOHW

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
        tiles = Tiles(height, width)
        x_slope_BHWC = x_BHWC.new_empty(num_images, height, width, channels) if wants_x else None
        filter_slope_POC = torch.zeros_like(filters_POC)
        for piece in pieces(num_images, max(filters_POC.shape[1:]), tiles):
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
