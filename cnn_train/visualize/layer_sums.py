"""What a layer adds up to make one number: which cells of which channels, times which weights.

Shape letters: C input channels that are read, H W rows and columns of a patch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from .layers import ACTIVATIONS

Pair = tuple[int, int]
Place = tuple[int, int, int]
"""A channel, a row and a column of a layer's output."""

Weigh = Callable[[Tensor, Tensor], Tensor]

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
ADAPTIVE_POOLS = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
MAX_POOLS = (nn.MaxPool2d, nn.AdaptiveMaxPool2d)
POOLS = (nn.MaxPool2d, nn.AvgPool2d, *ADAPTIVE_POOLS)

FOLDED: dict[str, Callable[[int, int], int]] = {
    "replicate": lambda i, side: min(max(i, 0), side - 1),
    "circular": lambda i, side: i % side,
    "reflect": lambda i, side: side - 1 - abs(side - 1 - abs(i)),
}
"""Where a padding that is not 0 takes its numbers from, by torch's name of the padding."""


@dataclass(frozen=True)
class Window:
    """How a window of ``size`` cells goes over a map; each pair is vertical, horizontal."""

    size: Pair
    stride: Pair
    padding: Pair
    dilation: Pair


@dataclass(frozen=True)
class LayerSum:
    """The patch (channels, rows and columns of the input), its weights, and what is added.

    rows, columns: may lie beyond the map, which is padding. weigh: makes the weights CHW from the
    patch CHW and from which of its cells are no padding (HW).
    """

    kind: str
    channels: Sequence[int]
    rows: Sequence[int]
    columns: Sequence[int]
    weigh: Weigh
    bias: float = 0.0
    window: Window | None = None
    constants: Mapping[str, float] = field(default_factory=dict)
    padding_mode: str = "zeros"


def sum_of(
    module: nn.Module, input_shape: Sequence[int], output_shape: Sequence[int], place: Place
) -> LayerSum:
    """Return the sum that makes the number at ``place`` of the output of a layer known here."""
    if isinstance(module, nn.Conv2d):
        return _convolution(module, place)
    if isinstance(module, nn.Linear):
        return _linear(module, place)
    if isinstance(module, POOLS):
        return _pooling(module, input_shape, output_shape, place)
    if isinstance(module, BATCH_NORMS):
        return _batch_norm(module, place)
    assert isinstance(module, ACTIVATIONS)
    return _single("activation", place, 1.0)


def can_work_out(module: nn.Module) -> bool:
    """Whether :func:`sum_of` knows this layer."""
    known = (nn.Conv2d, nn.Linear, *POOLS, *ACTIVATIONS)
    return isinstance(module, known) or (
        isinstance(module, BATCH_NORMS) and module.running_mean is not None
    )


def take_patch(input_CHW: Tensor, own: LayerSum) -> tuple[Tensor, Tensor]:
    """Cut the patch CHW (float64) out of a layer's input; also say which cells HW are inside."""
    _, height, width = input_CHW.shape
    rows, columns = torch.tensor(own.rows), torch.tensor(own.columns)
    inside_HW = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
    fold = FOLDED["replicate" if own.padding_mode == "zeros" else own.padding_mode]
    row_index = torch.tensor([fold(row, height) for row in own.rows])
    column_index = torch.tensor([fold(column, width) for column in own.columns])
    read_CHW = input_CHW[list(own.channels)].double()
    patch_CHW = read_CHW[:, row_index[:, None], column_index]
    if own.padding_mode == "zeros":
        patch_CHW = patch_CHW.masked_fill(~inside_HW, 0)
    return patch_CHW, inside_HW


def _convolution(module: nn.Conv2d, place: Place) -> LayerSum:
    channel, row, column = place
    window = _window(module)
    in_group = module.in_channels // module.groups
    first = channel // (module.out_channels // module.groups) * in_group
    filter_CHW = module.weight[channel].detach().cpu().double()
    return LayerSum(
        "convolution",
        range(first, first + in_group),
        _cells(window, 0, row),
        _cells(window, 1, column),
        _always(filter_CHW),
        _entry(module.bias, channel, 0.0),
        window,
        padding_mode=module.padding_mode,
    )


def _linear(module: nn.Linear, place: Place) -> LayerSum:
    channel, row, column = place
    filter_CHW = module.weight[channel].detach().cpu().double()[:, None, None]
    bias = _entry(module.bias, channel, 0.0)
    inputs = range(module.in_features)
    return LayerSum("fully connected", inputs, [row], [column], _always(filter_CHW), bias)


def _pooling(
    module: nn.Module, input_shape: Sequence[int], output_shape: Sequence[int], place: Place
) -> LayerSum:
    """Return the sum of a pooling: its weights are one 1, or all the same."""
    if isinstance(module, ADAPTIVE_POOLS):
        window = None
        rows, columns = (_share(input_shape[i], output_shape[i], place[i]) for i in (1, 2))
    else:
        window = _window(module)
        rows, columns = (_cells(window, axis, place[axis + 1]) for axis in (0, 1))
    if isinstance(module, MAX_POOLS):
        return LayerSum("max pooling", [place[0]], rows, columns, _only_largest, window=window)
    if window is not None:  # the last window may reach beyond even the padding: not counted
        ends = [input_shape[axis + 1] + window.padding[axis] for axis in (0, 1)]
        rows = [row for row in rows if row < ends[0]]
        columns = [column for column in columns if column < ends[1]]
    divisor = getattr(module, "divisor_override", None)
    counts_padding = getattr(module, "count_include_pad", True)

    def weigh(patch_CHW: Tensor, inside_HW: Tensor) -> Tensor:
        counted = inside_HW.numel() if counts_padding else int(inside_HW.sum())
        return torch.full_like(patch_CHW, 1 / (divisor or counted))

    return LayerSum("average pooling", [place[0]], rows, columns, weigh, window=window)


def _only_largest(patch_CHW: Tensor, inside_HW: Tensor) -> Tensor:
    """Return 1 at the patch's largest number, the first of equal ones, and 0 elsewhere."""
    largest = patch_CHW[0].masked_fill(~inside_HW, -torch.inf).argmax()
    weights_CHW = torch.zeros_like(patch_CHW)
    weights_CHW.view(-1)[largest] = 1
    return weights_CHW


def _batch_norm(module: nn.Module, place: Place) -> LayerSum:
    channel = place[0]
    stored: Any = module
    mean, variance = (float(x[channel]) for x in (stored.running_mean, stored.running_var))
    scale, shift = _entry(stored.weight, channel, 1.0), _entry(stored.bias, channel, 0.0)
    constants = {"mean": mean, "variance": variance, "ε": stored.eps, "γ": scale, "β": shift}
    factor = scale / (variance + stored.eps) ** 0.5
    return _single("batch norm", place, factor, shift - mean * factor, constants)


def _single(
    kind: str,
    place: Place,
    factor: float,
    bias: float = 0.0,
    constants: Mapping[str, float] | None = None,
) -> LayerSum:
    """Return the sum of a layer that reads one number, at the same place."""
    channel, row, column = place
    weigh = _always(torch.full((1, 1, 1), factor, dtype=torch.float64))
    return LayerSum(kind, [channel], [row], [column], weigh, bias, constants=constants or {})


def _always(weights_CHW: Tensor) -> Weigh:
    """Return these weights, whatever the patch."""
    return lambda patch_CHW, inside_HW: weights_CHW


def _entry(parameter: Tensor | None, channel: int, missing: float) -> float:
    """Return a channel's number; ``missing`` where the layer has no such parameter."""
    return missing if parameter is None else float(parameter[channel].detach())


def _window(module: nn.Module) -> Window:
    """Return a convolution's or a pooling's window, with its padding before the first cell."""
    settings: Any = module
    size, stride = _pair(settings.kernel_size), _pair(settings.stride)
    dilation = _pair(getattr(settings, "dilation", 1))
    padding = settings.padding
    if padding == "same":
        padding = tuple(d * (k - 1) // 2 for k, d in zip(size, dilation, strict=True))
    return Window(size, stride, _pair(0 if padding == "valid" else padding), dilation)


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else value


def _cells(window: Window, axis: int, place: int) -> list[int]:
    """Return where the cells of the window for one place of the output lie on the input."""
    start = place * window.stride[axis] - window.padding[axis]
    return [start + cell * window.dilation[axis] for cell in range(window.size[axis])]


def _share(in_side: int, out_side: int, place: int) -> list[int]:
    """Return the cells that an adaptive pooling gives to one place: overlapping, if need be."""
    return list(range(place * in_side // out_side, -(-(place + 1) * in_side // out_side)))
