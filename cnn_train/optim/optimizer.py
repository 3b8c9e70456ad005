"""What every optimiser's settings can do: build the optimiser.

All but Muon are torch's own, in torch's default implementation. The fused one is a little faster,
but it ignores memory formats: a momentum loaded from a file in another format than its weight would
silently be added to the wrong weights.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import Field
from torch import nn
from torch.optim import Optimizer

from ..config.base import Config
from .learning_rates import Factor, Rate

LR_DESCRIPTION = "learning rate (step size), > 0; the schedule scales it"


@dataclass(frozen=True)
class UpdateRule:
    """What an update does to some parameters, as formulas in the order in which they apply.

    θ: a parameter tensor; g: its gradient, λR(θ) included; η: ``lr`` times the schedule's factor.
    values: the other constants, by symbol. names: explains the other symbols. Velocities and
    running means are 0 at first; t counts the updates from 1.
    """

    formulas: tuple[str, ...]
    lr: float
    values: dict[str, float] = field(default_factory=dict)
    names: str = ""
    applies_to: str = ""


class OptimizerConfig(Config, ABC):
    """Settings of one optimiser.

    None but AdamW pulls weights towards zero by default: that is the regularisation's part.
    """

    name: str
    lr: Rate = Field(default=0.1, description=LR_DESCRIPTION)
    lr_factors: dict[str, Factor] = Field(
        default={},
        description="factors on the learning rate of some layers or parameters, by name as "
        "`models show` prints them; {fc: 2} doubles the rate of fc.weight and fc.bias",
    )

    state_names: ClassVar[frozenset[str]] = frozenset({"momentum_buffer"})
    """What it keeps of each parameter after the first update, if anything."""

    full_batch: ClassVar[bool] = False
    """Whether one update takes the gradient over the whole training set."""

    rescales_gradients: ClassVar[bool] = False
    """Whether λR(W) shrinks each weight at a rate that depends on its other gradients."""

    @property
    def decay(self) -> str | None:
        """Name the setting that shrinks weights, if it is in use."""
        return None

    @abstractmethod
    def update_rules(self) -> tuple[UpdateRule, ...]:
        """Say what an update with these settings does, part by part of the network."""

    @abstractmethod
    def build(self, model: nn.Module) -> Optimizer:
        """Build the optimiser of the network's trained parameters.

        Each of its groups keeps its rate as ``initial_lr`` too. Raises ConfigError where
        ``lr_factors`` names a layer that the network lacks.
        """
