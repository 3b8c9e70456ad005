"""What every optimiser's settings can do: build the optimiser.

All of them are torch's own, in torch's default implementation. The fused one is a little faster,
but it walks raw memory: a momentum in another memory format than its weight (loaded from a file)
would be added to the wrong weights, silently.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from pydantic import Field
from torch import nn
from torch.optim import Optimizer

from ..config.base import Config


class OptimizerConfig(Config, ABC):
    """Settings of one optimiser.

    None of them pulls weights towards zero by default: that is the regularisation's part.
    """

    name: str
    lr: float = Field(
        default=0.1, gt=0, description="learning rate (step size), > 0; the schedule scales it"
    )

    full_batch: ClassVar[bool] = False
    """Whether one update takes the gradient over the whole training set."""

    @abstractmethod
    def build(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """Build the optimiser; each of its groups keeps ``lr`` as ``initial_lr`` too."""
