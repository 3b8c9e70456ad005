"""How large the numbers are in each layer of a network, on the way forward and on the way back.

The outputs should neither vanish nor explode from the first layer to the last, nor should the
gradients on their way back. Sizes are root mean squares over all images that go through while a
layer is watched, also in several pieces.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..models.summary import is_layer


@dataclass(frozen=True)
class LayerSizes:
    """The sizes of a layer's output and weights in one step.

    output_rms and output_gradient_rms: root mean square of the output's values and of dL/d(value).
    zeros: share of the values that are exactly 0. The norms are of all the layer's own parameters
    together: before the step, of dL/dθ, and of the change; None without parameters. update_ratio:
    ‖Δθ‖ / ‖θ‖; None without parameters, and where all of them were 0.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    output_rms: float
    zeros: float
    output_gradient_rms: float | None
    weight_norm: float | None
    gradient_norm: float | None
    update_norm: float | None
    update_ratio: float | None


@dataclass
class Values:
    """Sums over values that come in pieces."""

    count: int = 0
    square_sum: float = 0.0
    num_zeros: int = 0

    def add(self, values: Tensor) -> None:
        """Count the values of a piece."""
        self.count += values.numel()
        self.square_sum += float(values.detach().float().square().sum())
        self.num_zeros += int((values == 0).sum())

    @property
    def rms(self) -> float:
        """The root of the mean square."""
        return math.sqrt(self.square_sum / self.count)


@dataclass
class WatchedLayer:
    """Sums over a layer's outputs and over the gradients of the loss by them."""

    output_shape: tuple[int, ...] = ()
    outputs: Values = field(default_factory=Values)
    gradients: Values = field(default_factory=Values)

    def add(self, output: Tensor) -> None:
        """Count an output, and its gradient once the backward pass has computed it."""
        self.output_shape = tuple(output.shape[1:])
        self.outputs.add(output)
        if output.requires_grad:
            output.register_hook(self.gradients.add)  # type: ignore[no-untyped-call]


@contextmanager
def watched_layers(model: nn.Module) -> Iterator[dict[str, WatchedLayer]]:
    """Yield what goes through every layer from now on, by name in the order of the forward pass."""
    watched: dict[str, WatchedLayer] = {}

    def keep(name: str, module: nn.Module, inputs: Any, output: Tensor) -> None:
        watched.setdefault(name, WatchedLayer()).add(output)

    with ExitStack() as hooks:
        for name, module in model.named_modules():
            if is_layer(module):
                hooks.enter_context(module.register_forward_hook(partial(keep, name)))
        yield watched


def norm(tensors: Sequence[Tensor]) -> float | None:
    """Return the Euclidean length of all tensors together; None without any."""
    if not tensors:
        return None
    return float(torch.stack([tensor.cpu().double().norm() for tensor in tensors]).norm())
