"""λR(W): a penalty on large weights, added to the data loss.

R(W) is ΣW² (l2), Σ|W| (l1) or β·ΣW² + Σ|W| (elastic). There is no factor ½: λΣW² pulls a weight
by 2λW, so under SGD a strength of λ equals ``weight_decay=2λ``.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ..config.base import Config

Penalty = Callable[[], Tensor]
"""Returns λR(W) of the weights as they are now: a scalar that has a gradient."""

ApplyTo = Annotated[
    Literal["weights", "all"],
    Field(description="weights: those of convolutions and linear layers; all: biases, norms too"),
]


def select_parameters(model: nn.Module, apply_to: ApplyTo) -> list[nn.Parameter]:
    """List the trainable parameters that are penalised.

    "weights" are those of convolutions and linear layers, known by their two or more dimensions;
    biases and norms, which have one, do not make a network more complicated.
    """
    trainable = (parameter for parameter in model.parameters() if parameter.requires_grad)
    return [parameter for parameter in trainable if apply_to == "all" or parameter.ndim >= 2]


class _WeightPenalty(torch.autograd.Function):
    """a·ΣW² + b·Σ|W| over many tensors, with the explicit gradient 2aW + b·sign(W).

    Autograd would compute it with several kernels per tensor; here a few kernels compute it for all
    tensors together. ``vector_norm`` would save the temporary squares, but on a CPU it adds
    millions of float32 one by one, and its rounding shows; ``sum`` adds them pairwise.
    """

    @staticmethod
    def forward(ctx: Any, squares: float, absolutes: float, *weights: Tensor) -> Tensor:
        ctx.squares, ctx.absolutes = squares, absolutes
        ctx.save_for_backward(*weights)
        terms: list[Tensor] = []
        if squares:
            terms += [squares * weight.square().sum() for weight in weights]
        if absolutes:
            terms += [absolutes * weight.abs().sum() for weight in weights]
        return torch.stack(terms).sum()

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Any:
        weights = ctx.saved_tensors
        if not ctx.absolutes:
            return None, None, *torch._foreach_mul(weights, 2 * ctx.squares * slope)
        gradients = torch._foreach_sign(weights)
        if ctx.squares:
            torch._foreach_add_(gradients, weights, alpha=2 * ctx.squares / ctx.absolutes)
        torch._foreach_mul_(gradients, ctx.absolutes * slope)
        return None, None, *gradients


def weight_penalty(weights: Sequence[Tensor], *, squares: float, absolutes: float) -> Tensor:
    """Return squares·ΣW² + absolutes·Σ|W| as a scalar with a gradient.

    Where W = 0, the slope of |W| is taken as 0.
    """
    if not weights or squares == absolutes == 0:
        return torch.zeros((), device=weights[0].device if weights else None)
    penalty: Tensor = _WeightPenalty.apply(squares, absolutes, *weights)
    return penalty


class RegularizationConfig(Config, ABC):
    """Settings of λR(W)."""

    kind: str

    @abstractmethod
    def build(self, model: nn.Module) -> Penalty:
        """Build the function that returns λR(W) of this model's weights."""


class NoRegularizationConfig(RegularizationConfig):
    """No penalty on weights: only the data loss."""

    kind: Literal["none"] = "none"

    def build(self, model: nn.Module) -> Penalty:
        """Build a function that returns zero, on the model's device."""
        return partial(weight_penalty, select_parameters(model, "all"), squares=0.0, absolutes=0.0)


class L2Config(RegularizationConfig):
    """λΣW²: prefers many small weights to a few large ones."""

    kind: Literal["l2"] = "l2"
    strength: float = Field(
        default=5e-4, ge=0, description="λ of λΣW², ≥ 0; equals weight_decay 2λ under SGD"
    )
    apply_to: ApplyTo = "weights"

    def build(self, model: nn.Module) -> Penalty:
        """Build λΣW²."""
        weights = select_parameters(model, self.apply_to)
        return partial(weight_penalty, weights, squares=self.strength, absolutes=0.0)


class L1Config(RegularizationConfig):
    """λΣ|W|: prefers weights that are exactly zero."""

    kind: Literal["l1"] = "l1"
    strength: float = Field(
        default=1e-5,
        ge=0,
        description="λ of λΣ|W|, ≥ 0; every update moves each weight by lr·λ towards zero",
    )
    apply_to: ApplyTo = "weights"

    def build(self, model: nn.Module) -> Penalty:
        """Build λΣ|W|."""
        weights = select_parameters(model, self.apply_to)
        return partial(weight_penalty, weights, squares=0.0, absolutes=self.strength)


class ElasticConfig(RegularizationConfig):
    """λ(βΣW² + Σ|W|): both at once."""

    kind: Literal["elastic"] = "elastic"
    strength: float = Field(default=1e-5, ge=0, description="λ of λ(βΣW² + Σ|W|), ≥ 0")
    beta: float = Field(
        default=10.0, ge=0, description="β: how much ΣW² counts beside Σ|W|, ≥ 0; 0 is l1"
    )
    apply_to: ApplyTo = "weights"

    def build(self, model: nn.Module) -> Penalty:
        """Build λ(βΣW² + Σ|W|)."""
        weights = select_parameters(model, self.apply_to)
        squares = self.strength * self.beta
        return partial(weight_penalty, weights, squares=squares, absolutes=self.strength)


REGULARIZATIONS: dict[str, type[RegularizationConfig]] = {
    "none": NoRegularizationConfig,
    "l1": L1Config,
    "l2": L2Config,
    "elastic": ElasticConfig,
}
