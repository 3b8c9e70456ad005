"""Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from torch import nn
from torch.optim import AdamW, Optimizer

from .learning_rates import Rate, parameter_groups
from .optimizer import LR_DESCRIPTION, OptimizerConfig, UpdateRule

MOST_BETA = 1 - 1e-7
"""The first step divides the rate by 1 − β₁: float32 must hold MOST_LR over that."""

Beta = Annotated[float, Field(ge=0, le=MOST_BETA)]


class AdamWConfig(OptimizerConfig):
    """Steps of about the learning rate in every weight, however large or small its gradient."""

    name: Literal["adamw"] = "adamw"
    lr: Rate = Field(default=1e-3, description=LR_DESCRIPTION)
    betas: tuple[Beta, Beta] = Field(
        default=(0.9, 0.999),
        strict=False,
        description="how much of the running means of gradient and squared gradient is kept, "
        "each from 0 to just below 1",
    )
    eps: float = Field(
        default=1e-8, gt=0, description="added to the root of the squared gradient, > 0"
    )
    weight_decay: float = Field(
        default=0.01,
        ge=0,
        description="every update shrinks weights (not biases and norms) by lr·weight_decay, ≥ 0; "
        "it takes the place of the regularization: beside such a section its default is 0",
    )

    state_names: ClassVar[frozenset[str]] = frozenset({"step", "exp_avg", "exp_avg_sq"})
    rescales_gradients: ClassVar[bool] = True

    @property
    def decay(self) -> str | None:
        """Name ``weight_decay`` where it is above zero."""
        return "weight_decay" if self.weight_decay > 0 else None

    def update_rules(self) -> tuple[UpdateRule, ...]:
        """Return the rule; λ_w is the decay, which shrinks θ past the running means."""
        values = {"β₁": self.betas[0], "β₂": self.betas[1], "ε": self.eps}
        means = "m and v are 0 before the first, for which t = 1"
        rest = (
            "m ← β₁ m + (1 − β₁) g",
            "v ← β₂ v + (1 − β₂) g²",
            "θ ← θ − η (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)",
        )
        if not self.weight_decay:
            return (UpdateRule(rest, self.lr, values, means),)
        decayed, decay = ("θ ← θ − η λ_w θ", *rest), {"λ_w": self.weight_decay}
        return (
            UpdateRule(decayed, self.lr, values | decay, means, "weights"),
            UpdateRule(rest, self.lr, values, means, "biases and norms"),
        )

    def build(self, model: nn.Module) -> Optimizer:
        """Build torch's AdamW; weights decay, biases and norms do not."""

        def settings_of(name: str, parameter: nn.Parameter) -> dict[str, Any]:
            decay = self.weight_decay if parameter.ndim >= 2 else 0.0
            return {"lr": self.lr, "weight_decay": decay}

        groups = parameter_groups(model, self.lr_factors, settings_of)
        return AdamW(groups, lr=self.lr, betas=self.betas, eps=self.eps)
