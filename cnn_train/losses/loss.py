"""The interface of losses and of their settings, and the weights that classes have in any loss.

Shape letters: B minibatch, K classes.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Annotated, ClassVar, Literal, Protocol

import torch
from pydantic import Field, field_validator
from torch import Tensor

from ..config.base import Config
from ..errors import ConfigError, name_some

Reduction = Literal["mean", "sum", "none"]
ClassWeights = Annotated[
    tuple[Annotated[float, Field(ge=0, le=1e6)], ...], Field(strict=False, min_length=1)
]


class LossFn(Protocol):
    """Measures how bad the scores of a minibatch are: smaller is better."""

    def __call__(
        self, scores_BK: Tensor, labels_B: Tensor, reduction: Reduction = "mean"
    ) -> Tensor:
        """Return the mean or the sum over the minibatch as a scalar, or each example's loss (B)."""


class LossConfig(Config, ABC):
    """Settings of one loss; they sit beside the function they build."""

    name: str
    weights: Literal["none", "balanced"] | ClassWeights = Field(
        default="none",
        description="how much an image of each class counts in training: none, all alike; "
        "balanced, each class as much as any other; or a number for each class, in their order",
    )

    gives_probabilities: ClassVar[bool]
    """Whether a network trained with this loss has scores whose softmax is a probability."""

    @abstractmethod
    def build(self) -> LossFn:
        """Build the loss function with these settings filled in, but for the weights."""

    @field_validator("weights")
    @classmethod
    def _count_some(cls, weights: str | tuple[float, ...]) -> str | tuple[float, ...]:
        if not isinstance(weights, str) and not any(weights):
            raise ValueError("every class has weight 0: nothing would be learned")
        return weights

    def build_weighted(
        self, counts_K: Tensor, class_names: Sequence[str], device: torch.device | str = "cpu"
    ) -> LossFn:
        """Build the loss of a training set with so many images of each class: with ``weights``."""
        if self.weights == "none":
            return self.build()
        weights_K = self.class_weights(counts_K, class_names)
        return partial(weighted, loss_fn=self.build(), weights_K=weights_K.to(device))

    def class_weights(self, counts_K: Tensor, class_names: Sequence[str]) -> Tensor:
        """Return how much an image of each class counts (K, float32).

        Only the ratios of ``weights`` matter: they are scaled to a mean of 1 over the training
        images, w_k · N / Σ_j N_j w_j, so that the rate and λ keep their meaning. ``balanced``,
        w_k = 1/N_k, becomes N / (K · N_k). Raises ConfigError where there is not one per class.
        """
        counts_K = counts_K.double()
        weights_K = (
            1 / counts_K if self.weights == "balanced" else counts_K.new_tensor(self.weights)
        )
        if len(weights_K) != len(counts_K):
            raise ConfigError(
                f"loss.weights: {len(weights_K)} numbers for {len(counts_K)} classes; give one for "
                f"each of {name_some(class_names, len(class_names))}, in this order"
            )
        weights_K = weights_K / weights_K.max()  # however small all of them are
        return (weights_K * (counts_K.sum() / (weights_K @ counts_K))).float()

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


def weighted(
    scores_BK: Tensor,
    labels_B: Tensor,
    reduction: Reduction = "mean",
    *,
    loss_fn: LossFn,
    weights_K: Tensor,
) -> Tensor:
    """Multiply each example's loss by the weight of its class; the mean is over the B examples.

    torch's mean divides by the sum of the minibatch's weights instead. Then a minibatch's gradient
    would not be the mean of its parts', where several processes or pieces share it. And torch
    weighs the parts of a smoothed target by class: a smoothed rare class would draw all images.
    """
    return reduce(loss_fn(scores_BK, labels_B, "none") * weights_K[labels_B], reduction)
