"""The multiclass support vector machine's loss.

Shape letters: B minibatch, K classes.
"""

from functools import partial
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from .loss import LossConfig, LossFn, Reduction, at_least_float32, reduce


def hinge(
    scores_BK: Tensor,
    labels_B: Tensor,
    reduction: Reduction = "mean",
    *,
    margin: float = 1.0,
    squared: bool = False,
) -> Tensor:
    """Charge every wrong class whose score comes within ``margin`` of the right class's score.

    L_i = Σ_{j≠y} max(0, s_j − s_y + margin), summed over classes; ``squared`` squares each term.
    This is K times ``nn.MultiMarginLoss``, which divides by the number of classes: a step size
    found for the one is wrong for the other. Source: Weston and Watkins, 1999.
    """
    scores_BK = at_least_float32(scores_BK)
    labels_B1 = labels_B[:, None]
    violations_BK = F.relu(scores_BK - scores_BK.gather(1, labels_B1) + margin)
    violations_BK = violations_BK.scatter(1, labels_B1, 0.0)  # the sum leaves out j = y
    if squared:
        violations_BK = violations_BK.square()
    return reduce(violations_BK.sum(dim=1), reduction)


class HingeConfig(LossConfig):
    """The multiclass hinge (SVM) loss; its scores are no probabilities."""

    name: Literal["hinge"] = "hinge"
    margin: float = Field(
        default=1.0,
        gt=0,
        description="how far the right class's score must lead, in units of score, > 0",
    )
    squared: bool = Field(
        default=False, description="square each violation: large ones hurt more, small ones less"
    )

    gives_probabilities: ClassVar[bool] = False

    def build(self) -> LossFn:
        """Build the hinge loss with this margin."""
        return partial(hinge, margin=self.margin, squared=self.squared)

    def chance_loss(self, num_classes: int) -> float:
        """Return (K − 1)·margin, or (K − 1)·margin² if squared: every wrong class ties."""
        violation = self.margin * self.margin if self.squared else self.margin  # inf, no error
        return (num_classes - 1) * violation
