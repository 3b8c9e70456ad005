"""Compute some convolutions of a network in another way than torch's library does.

The network stays as it is: its calls of ``conv2d`` are replaced while it runs.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Forward = Callable[[Tensor], Tensor]
Convolve = Callable[..., Tensor | None]
"""Of maps, filters, stride, padding, dilation and groups; None: torch's own is as good."""


class ReplacedConvolutions(TorchFunctionMode):
    """While active, ``convolve`` stands for torch's convolution where it returns maps.

    Asked about are those of layers that are trained and have no bias.
    """

    def __init__(self, convolve: Convolve) -> None:
        super().__init__()
        self.convolve = convolve

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function is F.conv2d and not kwargs and len(args) == 7:
            x_BCHW, weight_OCkk, bias, *geometry = args
            is_plain = bias is None and weight_OCkk.requires_grad and x_BCHW.ndim == 4
            if is_plain and (y := self.convolve(x_BCHW, weight_OCkk, *geometry)) is not None:
                return y
        return function(*args, **kwargs)


def keeps_size(weight_OCkk: Tensor, stride: Any, padding: Any, dilation: Any, groups: int) -> bool:
    """Say whether each result is computed around the pixel in its own place, from all maps."""
    height, width = weight_OCkk.shape[2:]
    return (
        groups == 1
        and height == width
        and height % 2 == 1
        and stride == dilation == (1, 1)
        and padding == (height // 2, width // 2)
    )
