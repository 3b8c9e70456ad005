"""What makes training fast without changing what it computes."""

from torch import nn

from ..device import Device, Precision, with_autocast
from .allocator import keep_freed_memory
from .small_maps import Forward, with_fast_small_maps


def training_forward(module: nn.Module, device: Device, precision: Precision) -> Forward:
    """Wrap the network into ``images -> float32 scores`` as training computes them fastest here."""
    forward = with_autocast(module, device, precision)
    if device.torch_device.type != "cpu":
        return forward
    keep_freed_memory()
    return with_fast_small_maps(forward, precision.dtype) if precision.is_low else forward
