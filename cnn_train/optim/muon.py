"""Muon: momentum with an orthogonal update, so that every direction of a layer learns.

The gradient of a weight matrix is dominated by a few directions. Muon replaces the update by the
nearest matrix with equal singular values (Jordan et al., "Muon: an optimizer for hidden layers in
neural networks", 2024). A filter bank O×C×H×W counts as the matrix O×(C·H·W), which torch's own
Muon refuses. Biases, norms and the last layer follow SGD.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from ..errors import ConfigError
from ..machine.device import multiplies_bfloat16
from .learning_rates import Rate, parameter_groups
from .optimizer import OptimizerConfig, UpdateRule

# p(σ) = aσ + bσ³ + cσ⁵ has the steepest slope at 0 that keeps σ within about [0.7, 1.2] (Jordan).
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)

MOST_DECAY = 1e30
"""Torch refuses a weight decay that float32 cannot hold (3.4e38)."""

Coefficient = Annotated[float, Field(ge=-100, le=100)]

TINY = 1e-12  # keeps what is all zeros from becoming NaN

MOST_PADDING = 4
"""Matrices are filled up to one shape where that makes at most so many times as many numbers."""


@torch.no_grad()
def orthogonalize(
    matrices_LMN: Tensor, steps: int, coefficients: Sequence[float] = NEWTON_SCHULZ
) -> Tensor:
    """Return about U Vᵀ of each singular value decomposition U S Vᵀ, without decomposing.

    Each step applies an odd polynomial to all singular values at once; it pushes them towards 1.
    Rows and columns of zeros stay as they are. M ≤ N takes the least work.
    """
    a, b, c = coefficients
    x: Tensor = matrices_LMN / matrices_LMN.norm(dim=(1, 2), keepdim=True).clamp(min=TINY)
    if multiplies_bfloat16(x.device):
        x = x.bfloat16()
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.to(matrices_LMN.dtype)


def orthogonalize_all(
    updates: Sequence[Tensor], steps: int, coefficients: Sequence[float], *, pad: bool
) -> list[Tensor]:
    """Orthogonalize each update as the matrix O×(C·H·W); those of equal shape, together.

    ``pad`` fills all up to one shape with zeros, which change no result: to start an operation
    costs a GPU more than to multiply small matrices. On a CPU the zeros would cost more.
    """
    matrices = [update.flatten(1) for update in updates]
    wide = [matrix if len(matrix) <= matrix.shape[1] else matrix.T for matrix in matrices]
    shapes, turned = [matrix.shape for matrix in wide], list(updates)
    largest = torch.Size(map(max, zip(*shapes, strict=True)))
    if pad and len(wide) * largest.numel() <= MOST_PADDING * sum(map(Tensor.numel, wide)):
        shapes = [largest] * len(wide)
    for shape in dict.fromkeys(shapes):
        places = [i for i, other in enumerate(shapes) if other == shape]
        batch_LMN = updates[0].new_zeros(len(places), *shape)
        for row, i in enumerate(places):
            batch_LMN[row, : len(wide[i]), : wide[i].shape[1]] = wide[i]
        for i, found_MN in zip(places, orthogonalize(batch_LMN, steps, coefficients), strict=True):
            part = found_MN[: len(wide[i]), : wide[i].shape[1]]
            turned[i] = (part if wide[i] is matrices[i] else part.T).reshape(updates[i].shape)
    return turned


class Muon(Optimizer):
    """Muon for the groups marked ``orthogonal``, SGD with Nesterov momentum for the others.

    Filters get the norm 1 (root mean square) before every n-th step, so that the rate is the angle
    of the step. Before a batch norm the length of filters means nothing; in a network without one
    it is fixed like this. A group's ``step``, its updates so far, is part of the saved state.
    """

    def __init__(
        self,
        groups: list[dict[str, Any]],
        steps: int,
        coefficients: Sequence[float] = NEWTON_SCHULZ,
        renormalize_every: int = 1,
    ) -> None:
        self.steps, self.coefficients = steps, coefficients
        self.renormalize_every = renormalize_every
        defaults = {"lr": 0.0, "momentum": 0.0, "weight_decay": 0.0, "orthogonal": False}
        super().__init__(groups, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            trained = [weight for weight in group["params"] if weight.grad is not None]
            if not trained:
                continue
            updates = self._nesterov(trained, group["momentum"], group["weight_decay"])
            step = group.setdefault("step", 0)  # a state of an older release has none
            if group["orthogonal"]:
                if step % self.renormalize_every == 0:
                    for weight in trained:
                        weight.mul_(len(weight) ** 0.5 / weight.norm().clamp(min=TINY))
                pad = trained[0].device.type == "cuda"
                updates = orthogonalize_all(updates, self.steps, self.coefficients, pad=pad)
            torch._foreach_add_(trained, updates, alpha=-group["lr"])
            group["step"] = step + 1

    def _nesterov(
        self, weights: Sequence[Tensor], momentum: float, weight_decay: float
    ) -> list[Tensor]:
        """Add the gradient to the velocity; return gradient + momentum · velocity."""
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        if weight_decay:
            gradients = list(torch._foreach_add(gradients, list(weights), alpha=weight_decay))
        for weight in weights:
            if "velocity" not in self.state[weight]:
                self.state[weight]["velocity"] = torch.zeros_like(weight)
        velocities = [self.state[weight]["velocity"] for weight in weights]
        torch._foreach_mul_(velocities, momentum)
        torch._foreach_add_(velocities, gradients)
        return list(torch._foreach_add(gradients, velocities, alpha=momentum))


class MuonConfig(OptimizerConfig):
    """Orthogonal updates for filters of fixed size, SGD for biases, norms and the last layer."""

    name: Literal["muon"] = "muon"
    lr: Rate = Field(
        default=0.1,
        description="step of the filters relative to their size, > 0; the schedule scales it",
    )
    momentum: float = Field(
        default=0.85, ge=0, lt=1, description="share of the filters' velocity that is kept"
    )
    newton_schulz_steps: int = Field(
        default=3, ge=1, le=10, description="iterations that make an update orthogonal"
    )
    newton_schulz_coefficients: tuple[Coefficient, Coefficient, Coefficient] = Field(
        default=NEWTON_SCHULZ,
        strict=False,
        description="a, b and c of the iteration σ ← aσ + bσ³ + cσ⁵ on the singular values",
    )
    renormalize_every: int = Field(
        default=1, ge=1, description="the filters get their size back before every n-th update"
    )
    sgd_lr: Rate = Field(
        default=0.1, description="learning rate of everything that is no filter, > 0"
    )
    sgd_momentum: float = Field(
        default=0.85, ge=0, lt=1, description="share of their velocity that is kept"
    )
    sgd_decay: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of each of their values that an update at the full rate takes away, "
        "before momentum: weight_decay = sgd_decay / lr",
    )

    state_names: ClassVar[frozenset[str]] = frozenset({"velocity"})

    @property
    def decay(self) -> str | None:
        """Name ``sgd_decay`` where it is above zero."""
        return "sgd_decay" if self.sgd_decay > 0 else None

    def update_rules(self) -> tuple[UpdateRule, ...]:
        """Return the rule of filters, and that of everything else, where d is the decay."""
        first = "v is 0 before the first"
        filters = ("v ← μ v + g", "θ ← √n θ / ‖θ‖", "θ ← θ − η orthogonal(g + μ v)")
        names = f"{first}; n: the layer's filters; orthogonal(U S Vᵀ) is about U Vᵀ"
        if self.renormalize_every > 1:
            names += f"; θ is scaled before the first of {self.renormalize_every} updates only"
        rest: tuple[str, ...] = ("v ← μ v + g", "θ ← θ − η (g + μ v)")
        values = {"μ": self.sgd_momentum}
        if self.sgd_decay:
            rest = ("g ← g + d θ / η₁", *rest)
            values["d"] = self.sgd_decay
        full = "; η₁: η without the schedule's factor" if self.sgd_decay else ""
        return (
            UpdateRule(filters, self.lr, {"μ": self.momentum}, names, "filters"),
            UpdateRule(rest, self.sgd_lr, values, first + full, "biases, norms and the last layer"),
        )

    def build(self, model: nn.Module) -> Optimizer:
        """Build Muon; filters are the weights of convolutions and linear layers but the last."""
        matrices = [
            f"{name}.weight".removeprefix(".")
            for name, layer in model.named_modules()
            if isinstance(layer, nn.Conv2d | nn.Linear) and layer.weight.requires_grad
        ]

        def settings_of(name: str, parameter: nn.Parameter) -> dict[str, Any]:
            if name in matrices[:-1]:
                return {"lr": self.lr, "momentum": self.momentum, "orthogonal": True}
            return {"lr": self.sgd_lr, "momentum": self.sgd_momentum, "orthogonal": False}

        groups = parameter_groups(model, self.lr_factors, settings_of)
        for group in groups:
            if self.sgd_decay and not group["orthogonal"]:
                if self.sgd_decay > MOST_DECAY * group["lr"]:
                    raise ConfigError(
                        f"optimizer.sgd_decay {self.sgd_decay:g}: too much for so small a rate as "
                        f"{group['lr']:g}; raise sgd_lr or its factor, or take 0"
                    )
                group["weight_decay"] = self.sgd_decay / group["lr"]
        coefficients, every = self.newton_schulz_coefficients, self.renormalize_every
        return Muon(groups, self.newton_schulz_steps, coefficients, every)
