"""Follow the slope: gradient descent, on minibatches (sgd) or on the whole training set (gd)."""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator
from torch import nn
from torch.optim import SGD, Optimizer

from .learning_rates import parameter_groups
from .optimizer import OptimizerConfig, UpdateRule

PLAIN = ("θ ← θ − η g",)


class SGDConfig(OptimizerConfig):
    """Stochastic gradient descent. With momentum 0: weights += −lr · gradient."""

    name: Literal["sgd"] = "sgd"
    momentum: float = Field(
        default=0.9,
        ge=0,
        lt=1,
        description="share of the last update's velocity that is kept, in [0, 1); 0: vanilla SGD",
    )
    nesterov: bool = Field(
        default=True, description="look ahead along the velocity; momentum 0 leaves none: false"
    )

    @model_validator(mode="before")
    @classmethod
    def _vanilla_sgd_has_no_nesterov(cls, settings: Any) -> Any:
        if isinstance(settings, dict) and settings.get("momentum") == 0:
            switch = settings.get("nesterov", False)
            return {**settings, "nesterov": False if switch is True else switch}
        return settings

    def update_rules(self) -> tuple[UpdateRule, ...]:
        """Return the rule: plain, with a velocity, or with one look ahead along it."""
        if self.momentum == 0:
            return (UpdateRule(PLAIN, self.lr),)
        step = "θ ← θ − η (g + μ v)" if self.nesterov else "θ ← θ − η v"
        values = {"μ": self.momentum}
        return (UpdateRule(("v ← μ v + g", step), self.lr, values, "v is 0 before the first"),)

    def build(self, model: nn.Module) -> Optimizer:
        """Build torch's SGD."""
        groups = parameter_groups(model, self.lr_factors, lambda *_: {"lr": self.lr})
        return SGD(groups, lr=self.lr, momentum=self.momentum, nesterov=self.nesterov)


class GDConfig(OptimizerConfig):
    """Gradient descent as first taught: one update per pass over all training images."""

    name: Literal["gd"] = "gd"

    full_batch: ClassVar[bool] = True

    def update_rules(self) -> tuple[UpdateRule, ...]:
        """Return the plain rule: what is special is which images make g."""
        return (UpdateRule(PLAIN, self.lr, names="g is that of all training images"),)

    def build(self, model: nn.Module) -> Optimizer:
        """Build torch's SGD without momentum; the caller sums the gradient over the epoch."""
        groups = parameter_groups(model, self.lr_factors, lambda *_: {"lr": self.lr})
        return SGD(groups, lr=self.lr)
