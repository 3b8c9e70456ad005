"""The interface of losses and of their settings.

Shape letters: B minibatch, K classes.
"""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, Protocol

import torch
from torch import Tensor

from ..config.base import Config

Reduction = Literal["mean", "sum", "none"]


class LossFn(Protocol):
    """Measures how bad the scores of a minibatch are: smaller is better."""

    def __call__(
        self, scores_BK: Tensor, labels_B: Tensor, reduction: Reduction = "mean"
    ) -> Tensor:
        """Return the mean or the sum over the minibatch as a scalar, or each example's loss (B)."""


class LossConfig(Config, ABC):
    """Settings of one loss; they sit beside the function they build."""

    name: str

    gives_probabilities: ClassVar[bool]
    """Whether a network trained with this loss has scores whose softmax is a probability."""

    @abstractmethod
    def build(self) -> LossFn:
        """Build the loss function with these settings filled in."""

    @abstractmethod
    def chance_loss(self, num_classes: int) -> float:
        """Return the loss of a network that gives every class the same score.

        An untrained network should start near it: the first sanity check before any training.
        """


def at_least_float32(tensor: Tensor) -> Tensor:
    """Widen half-precision scores, whose 8 or 11 bits are too few for sums and exponentials."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def reduce(losses_B: Tensor, reduction: Reduction) -> Tensor:
    """Turn each example's loss into the minibatch's mean or sum, or leave it as it is."""
    if reduction == "none":
        return losses_B
    return losses_B.mean() if reduction == "mean" else losses_B.sum()
