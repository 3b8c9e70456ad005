"""Guided backpropagation and the deconvolutional network: what of an image excites a unit?

Both send a unit's signal back to the pixels as backpropagation does, and differ from it in one
place: what a ReLU lets through. With x its input and R the signal that comes from above,

    backpropagation    R · [x > 0]             the true gradient
    deconv             R · [R > 0]             Zeiler and Fergus, 2014
    guided             R · [x > 0] · [R > 0]   Springenberg et al., 2015

Without negative signals only what speaks for the unit remains. That gives clear pictures, but they
are not gradients. Other layers do as in backpropagation: max-pooling sends its signal to where the
maximum was (Zeiler and Fergus's switches), and batch norm in evaluation mode is a linear map.

While a rule is active, every ReLU of a network, a module or a function, is computed here; the
network itself is not changed. Other nonlinear activations have no such rule.

Shape letters: B minibatch, C channels, H W pixels.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from ..errors import UsageError
from .layers import Units, unit_maps

RuleName = Literal["guided", "deconv"]

CEILINGS: dict[Callable[..., Any], float] = {
    F.relu: math.inf, torch.relu: math.inf, torch.relu_: math.inf, Tensor.relu: math.inf,
    Tensor.relu_: math.inf, F.relu6: 6.0,
}  # fmt: skip
REFUSED: dict[Callable[..., Any], str] = {
    F.gelu: "GELU", F.silu: "SiLU", F.elu: "ELU", F.leaky_relu: "leaky ReLU", F.mish: "Mish",
    F.hardswish: "hard swish", F.hardsigmoid: "hard sigmoid", F.softplus: "softplus",
    torch.tanh: "tanh", F.tanh: "tanh", Tensor.tanh: "tanh",
    torch.sigmoid: "sigmoid", F.sigmoid: "sigmoid", Tensor.sigmoid: "sigmoid",
}  # fmt: skip
MOST_AT_ONCE = 64
"""Images whose backward pass is held in memory at once."""


class _RuledReLU(torch.autograd.Function):
    """min(max(x, 0), ceiling), with the backward pass of a rule instead of its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, ceiling: float, rule: RuleName) -> Tensor:
        ctx.save_for_backward((x > 0) & (x < ceiling))
        ctx.rule = rule
        return x.clamp(0, ceiling)

    @staticmethod
    def backward(ctx: Any, *signals: Tensor) -> tuple[Tensor, None, None]:
        (passes,) = ctx.saved_tensors
        positive = signals[0].clamp(min=0)
        return (positive * passes if ctx.rule == "guided" else positive), None, None


class ReluRule(TorchFunctionMode):
    """While active, every ReLU has the backward pass of ``rule``.

    Raises UsageError where the network uses an activation that the rule does not know.
    """

    def __init__(self, rule: RuleName) -> None:
        super().__init__()
        self.rule = rule
        self.num_ruled = 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        settings = kwargs or {}
        ceiling = CEILINGS.get(func)
        if func is F.hardtanh and _limits(args, settings) == (0.0, 6.0):  # how nn.ReLU6 calls it
            ceiling = 6.0
        if ceiling is not None:
            self.num_ruled += 1
            return _RuledReLU.apply(args[0], ceiling, self.rule)
        if func in REFUSED or func is F.hardtanh:
            raise UsageError(
                f"visualize {self.rule}: is defined for ReLU, but this network has "
                f"{REFUSED.get(func, 'hard tanh')}; use saliency, or a network with ReLU"
            )
        return func(*args, **settings)


def _limits(args: Sequence[Any], settings: dict[str, Any]) -> tuple[float, float]:
    """Return the limits of a call of hardtanh(x, min_val=-1.0, max_val=1.0)."""
    given = dict(zip(("min_val", "max_val"), args[1:], strict=False)) | settings
    return float(given.get("min_val", -1.0)), float(given.get("max_val", 1.0))


@torch.no_grad()
def count_ruled(model: nn.Module, units: Units, inputs_BCHW: Tensor, rule: RuleName) -> int:
    """Return how many ReLUs lie between the pixels and the units: without one, no rule acts."""
    active = ReluRule(rule)
    with active:
        unit_maps(model, [units], inputs_BCHW)
    return active.num_ruled


def unit_signals(
    model: nn.Module, units: Units, inputs_BCHW: Tensor, place_B3: Tensor, rule: RuleName
) -> Tensor:
    """Return the signal BCHW that one unit per image sends back to its pixels under ``rule``.

    place_B3: channel, row and column of each image's unit (int64). The unit's own signal is 1.
    """
    images, places = torch.split(inputs_BCHW, MOST_AT_ONCE), torch.split(place_B3, MOST_AT_ONCE)
    signals = []
    for images_BCHW, places_B3 in zip(images, places, strict=True):
        pixels_BCHW = images_BCHW.detach().clone().requires_grad_()
        with torch.enable_grad(), ReluRule(rule):
            maps_BCHW = unit_maps(model, [units], pixels_BCHW)[units.layer]
        channel_B, row_B, column_B = places_B3.to(maps_BCHW.device).unbind(dim=1)
        image_B = torch.arange(len(maps_BCHW), device=maps_BCHW.device)
        strength = maps_BCHW[image_B, channel_B, row_B, column_B].sum()
        (signal_BCHW,) = torch.autograd.grad(strength, pixels_BCHW)
        signals.append(signal_BCHW)
    return torch.cat(signals)
