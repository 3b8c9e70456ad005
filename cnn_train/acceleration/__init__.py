"""What makes training fast without changing what it computes."""

from typing import cast

import torch
from torch import nn

from ..device import Device, Precision, with_autocast
from .allocator import keep_freed_memory
from .small_maps import Forward, with_fast_small_maps


def training_forward(
    module: nn.Module, device: Device, precision: Precision, *, compiled: bool
) -> Forward:
    """Wrap the network into ``images -> float32 scores`` as training computes them fastest here."""
    network = cast(Forward, torch.compile(module)) if compiled else module
    forward = with_autocast(network, device, precision)
    if device.torch_device.type != "cpu":
        return forward
    keep_freed_memory()
    fast = precision.is_low and not compiled
    return with_fast_small_maps(forward, precision.dtype) if fast else forward
