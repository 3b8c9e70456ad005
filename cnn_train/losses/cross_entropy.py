"""The softmax classifier's loss.

Shape letters: B minibatch, K classes.
"""

import math
from functools import partial
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from .loss import LossConfig, LossFn, Reduction, at_least_float32


def cross_entropy(
    scores_BK: Tensor,
    labels_B: Tensor,
    reduction: Reduction = "mean",
    *,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Charge −log of the probability that the softmax of the scores gives to the right class.

    L_i = −log(exp(s_y) / Σ_j exp(s_j)). With ``label_smoothing`` ε the target gives the right
    class 1 − ε + ε/K and every other class ε/K (Szegedy et al., 2016).
    """
    return F.cross_entropy(
        at_least_float32(scores_BK), labels_B, reduction=reduction, label_smoothing=label_smoothing
    )


class CrossEntropyConfig(LossConfig):
    """The cross-entropy loss; the softmax of its scores is a probability."""

    name: Literal["cross_entropy"] = "cross_entropy"
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of the target spread evenly over all classes, in [0, 1)",
    )

    gives_probabilities: ClassVar[bool] = True

    def build(self) -> LossFn:
        """Build the cross-entropy with this smoothing."""
        return partial(cross_entropy, label_smoothing=self.label_smoothing)

    def chance_loss(self, num_classes: int) -> float:
        """Return ln K: every class has probability 1/K, whatever the smoothing."""
        return math.log(num_classes)
