"""What a layer adds up to make one number: which numbers it reads, and times which weights.

Shape letters: C input channels that are read, H W rows and columns of a patch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import ACTIVATIONS

Pair = tuple[int, int]
Place = tuple[int, int, int]
"""A channel, a row and a column of a layer's output."""

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
MAX_POOLS = (nn.MaxPool2d, nn.AdaptiveMaxPool2d)
AVERAGE_POOLS = (nn.AvgPool2d, nn.AdaptiveAvgPool2d)
POOLS = (*MAX_POOLS, *AVERAGE_POOLS)

KINDS: dict[str, tuple[type[nn.Module], ...]] = {
    "convolution": (nn.Conv2d,),
    "fully connected": (nn.Linear,),
    "max pooling": MAX_POOLS,
    "average pooling": AVERAGE_POOLS,
    "batch norm": BATCH_NORMS,
    "activation": ACTIVATIONS,
}


@dataclass(frozen=True)
class Window:
    """How a window of ``size`` cells goes over a map; each pair is vertical, horizontal."""

    size: Pair
    stride: Pair
    padding: Pair
    dilation: Pair


@dataclass(frozen=True)
class Patch:
    """The numbers CHW (float64) that one number is made of, and where on the input they lie.

    inside_HW: False for cells beyond the map, which are padding.
    """

    channels: Sequence[int]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    values_CHW: Tensor
    inside_HW: Tensor


def kind_of(module: nn.Module) -> str | None:
    """Return what a layer is called here; None where its numbers cannot be worked out."""
    if isinstance(module, BATCH_NORMS) and module.running_mean is None:
        return None
    return next((kind for kind, types in KINDS.items() if isinstance(module, types)), None)


def can_work_out(module: nn.Module) -> bool:
    """Whether one number of this layer can be worked out."""
    return kind_of(module) is not None


def sliding_window(module: nn.Module) -> Window | None:
    """Return a convolution's or a pooling's window, with its padding before the first cell."""
    settings: Any = module
    if not hasattr(settings, "kernel_size"):
        return None
    size, stride = _pair(settings.kernel_size), _pair(settings.stride)
    dilation = _pair(getattr(settings, "dilation", 1))
    padding = settings.padding
    if padding == "same":
        padding = (dilation[0] * (size[0] - 1) // 2, dilation[1] * (size[1] - 1) // 2)
    return Window(size, stride, _pair(0 if padding == "valid" else padding), dilation)


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else value


def take_patch(
    module: nn.Module, input_CHW: Tensor, output_shape: Sequence[int], place: Place
) -> Patch:
    """Cut out what a layer reads for the number at ``place`` of its output."""
    channels = _channels(module, place[0])
    (top, rows, bottom), (left, columns, right) = (
        _cells(module, axis, input_CHW.shape[axis + 1], output_shape[axis + 1], place[axis + 1])
        for axis in (0, 1)
    )
    mode = getattr(module, "padding_mode", "zeros")
    padded_CHW = F.pad(
        input_CHW[channels.start : channels.stop].double(),
        (left, right, top, bottom),
        "constant" if mode == "zeros" else mode,
    )
    values_CHW = padded_CHW[:, [row + top for row in rows]][..., [x + left for x in columns]]
    inside_H, inside_W = (
        torch.tensor([0 <= cell < side for cell in cells])
        for cells, side in zip((rows, columns), input_CHW.shape[1:], strict=True)
    )
    return Patch(channels, rows, columns, values_CHW, inside_H[:, None] & inside_W)


def _channels(module: nn.Module, channel: int) -> range:
    """Return the input channels that an output channel reads."""
    if isinstance(module, nn.Linear):
        return range(module.in_features)
    if not isinstance(module, nn.Conv2d):
        return range(channel, channel + 1)
    in_group = module.in_channels // module.groups
    first = channel // (module.out_channels // module.groups) * in_group
    return range(first, first + in_group)


def _cells(
    module: nn.Module, axis: int, in_side: int, out_side: int, place: int
) -> tuple[int, tuple[int, ...], int]:
    """Return the cells read along an axis, between the numbers of cells of padding on both sides.

    Without a window a place reads its share of the input, as in an adaptive pooling: where both
    sides are equal, just the same place.
    """
    window = sliding_window(module)
    if window is None:
        return (
            0,
            tuple(range(place * in_side // out_side, -(-(place + 1) * in_side // out_side))),
            0,
        )
    start = place * window.stride[axis] - window.padding[axis]
    cells = [start + cell * window.dilation[axis] for cell in range(window.size[axis])]
    if isinstance(module, POOLS):  # with ceil_mode it may reach beyond even the padding
        cells = [cell for cell in cells if cell < in_side + window.padding[axis]]
    return max(0, -cells[0]), tuple(cells), max(0, cells[-1] + 1 - in_side)


def weights_of(module: nn.Module, channel: int, patch: Patch) -> tuple[Tensor, float]:
    """Return the weights CHW of the patch, and the bias; of an activation 1 and 0."""
    values_CHW = patch.values_CHW
    if isinstance(module, nn.Conv2d | nn.Linear):
        weights = module.weight[channel].detach().cpu().double()
        return weights.view_as(values_CHW), _entry(module.bias, channel, 0.0)
    if isinstance(module, MAX_POOLS):
        return _only_largest(patch), 0.0
    if isinstance(module, AVERAGE_POOLS):
        counts_padding = getattr(module, "count_include_pad", True)
        counted_HW = torch.ones_like(patch.inside_HW) if counts_padding else patch.inside_HW
        divisor = getattr(module, "divisor_override", None) or int(counted_HW.sum())
        return counted_HW.double()[None] / divisor, 0.0
    if isinstance(module, BATCH_NORMS):
        known = norm_constants(module, channel)
        factor = known["γ"] / (known["variance"] + known["ε"]) ** 0.5
        return torch.full_like(values_CHW, factor), known["β"] - known["mean"] * factor
    return torch.ones_like(values_CHW), 0.0


def _only_largest(patch: Patch) -> Tensor:
    """Return 1 at the patch's largest number, the first of equal ones, and 0 elsewhere."""
    largest = patch.values_CHW[0].masked_fill(~patch.inside_HW, -torch.inf).argmax()
    weights_CHW = torch.zeros_like(patch.values_CHW)
    weights_CHW.view(-1)[largest] = 1
    return weights_CHW


def norm_constants(module: nn.Module, channel: int) -> dict[str, float]:
    """Return a batch norm's constants for a channel, by name; other layers have none."""
    if not isinstance(module, BATCH_NORMS):
        return {}
    return {
        "mean": _entry(module.running_mean, channel, 0.0),
        "variance": _entry(module.running_var, channel, 1.0),
        "ε": module.eps,
        "γ": _entry(module.weight, channel, 1.0),
        "β": _entry(module.bias, channel, 0.0),
    }


def _entry(values: Tensor | None, channel: int, missing: float) -> float:
    """Return a channel's number; ``missing`` where the layer has no such numbers."""
    return missing if values is None else float(values[channel].detach())
