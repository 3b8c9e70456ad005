"""A faster gradient for convolutions on maps of a few pixels, on a CPU in bfloat16.

The weight gradient of a k×k convolution is a sum over positions, which torch's CPU library computes
at a fraction of its usual speed where the maps have few pixels. There it is also k² plain matrix
products, one for each place in the kernel: the gradient at offset (i, j) is Gᵀ · X, where the rows
of G and of X are the output's pixels and the input's pixels that the offset pairs them with. The
mathematics is the same; only the order of the sums differs.

Shape letters: B minibatch, C and O channels in and out, H W pixels, k kernel side, R = B·H·W rows.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

MAX_PIXELS = 25
"""Largest map that gains (docs/performance.md): 5×5; at 6×6 the library is the faster one."""

MIN_CHANNELS = 64
"""Fewer make the matrix products too thin to be worth it."""


def is_small(x_BCHW: Tensor, weight_OCkk: Tensor) -> bool:
    """Say whether a convolution that keeps the map's size gains by matrix products."""
    return (
        weight_OCkk.shape[2] > 1
        and x_BCHW.shape[2] * x_BCHW.shape[3] <= MAX_PIXELS
        and min(weight_OCkk.shape[:2]) >= MIN_CHANNELS
    )


class SmallMapConvolution(torch.autograd.Function):
    """A k×k convolution of stride 1 that keeps the map's size; see the module."""

    @staticmethod
    def forward(ctx: Any, x_BCHW: Tensor, weight_OCkk: Tensor, dtype: torch.dtype) -> Tensor:
        """Convolve in ``dtype``, as autocast would."""
        x_BCHW = x_BCHW.to(dtype, memory_format=torch.channels_last)
        low_OCkk = weight_OCkk.to(dtype, memory_format=torch.channels_last)
        ctx.save_for_backward(x_BCHW, low_OCkk)
        ctx.weight_dtype = weight_OCkk.dtype
        return F.conv2d(x_BCHW, low_OCkk, padding=weight_OCkk.shape[2] // 2)

    @staticmethod
    def backward(ctx: Any, slope_BOHW: Tensor) -> Any:
        """Return the gradients with respect to the maps and the filters."""
        x_BCHW, weight_OCkk = ctx.saved_tensors
        slope_BOHW = slope_BOHW.contiguous(memory_format=torch.channels_last)
        input_gradient = weight_gradient = None
        if ctx.needs_input_grad[0]:
            margin = weight_OCkk.shape[2] // 2
            geometry = ((1, 1), (margin, margin), (1, 1), False, (0, 0), 1)
            of_maps_alone = (True, False, False)
            input_gradient = torch.ops.aten.convolution_backward(
                slope_BOHW, x_BCHW, weight_OCkk, None, *geometry, of_maps_alone
            )[0]
        if ctx.needs_input_grad[1]:
            weight_gradient = filter_gradient(x_BCHW, slope_BOHW, weight_OCkk.shape[2])
            weight_gradient = weight_gradient.to(ctx.weight_dtype)
        return input_gradient, weight_gradient, None


def filter_gradient(x_BCHW: Tensor, slope_BOHW: Tensor, kernel_px: int) -> Tensor:
    """Return the gradient OCkk of the filters, by one matrix product for each place in them."""
    height, width = x_BCHW.shape[2:]
    margin = kernel_px // 2
    slope_OR = slope_BOHW.permute(0, 2, 3, 1).flatten(0, 2).T
    padded_BHWC = F.pad(x_BCHW.permute(0, 2, 3, 1), (0, 0, margin, margin, margin, margin))
    products_OC = [
        slope_OR @ padded_BHWC[:, i : i + height, j : j + width].flatten(0, 2)
        for i in range(kernel_px)
        for j in range(kernel_px)
    ]
    return torch.stack(products_OC, dim=-1).view(*products_OC[0].shape, kernel_px, kernel_px)
