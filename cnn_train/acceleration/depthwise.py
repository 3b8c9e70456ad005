"""Depthwise convolutions whose gradient a CPU computes faster in float32 than in bfloat16.

A depthwise convolution has one filter for each map. In bfloat16, torch's CPU library (oneDNN) has a
fast gradient for 3×3 filters of stride 1 alone; others take up to fifty times as long
(docs/performance.md), longer than in float32, which those convolutions are computed in here.

Shape letters: B minibatch, C maps in and out, H W pixels, k kernel side.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def is_slow(x_BCHW: Tensor, weight_C1kk: Tensor, stride: Any, groups: int) -> bool:
    """Say whether it is a depthwise convolution that bfloat16 slows down."""
    if not 1 < groups == weight_C1kk.shape[0] == x_BCHW.shape[1]:
        return False
    kernel, maps = weight_C1kk.shape[2:], x_BCHW.shape[2:]
    return stride != (1, 1) or max(kernel) > 3 or min(maps) < max(kernel)


def convolve_in_float32(
    x_BCHW: Tensor, weight_C1kk: Tensor, geometry: tuple[Any, ...], dtype: torch.dtype
) -> Tensor:
    """Convolve without autocast; return the maps in ``dtype``."""
    with torch.autocast("cpu", enabled=False):
        y_BCHW = F.conv2d(x_BCHW.float(), weight_C1kk, None, *geometry)
    return y_BCHW.to(dtype)
