"""What an update does to every parameter: its value before, its gradient, its value after.

The gradient is kept twice: as the backward pass made it, and as the update followed it, which
``clip_grad_norm`` may have shortened in between.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..training.session import Session
from ..training.update_guard import UpdateGuard


@dataclass(frozen=True)
class Change:
    """One parameter around the update: before; dL/dθ, and what is left of it; its rate; after."""

    before: Tensor
    gradient: Tensor
    clipped: Tensor
    lr: float
    after: Tensor

    @property
    def plain(self) -> Tensor:
        """Where plain SGD, in the same float32, would have put it: θ − η g."""
        return torch.add(self.before, self.clipped, alpha=-self.lr)


class KeepingGuard(UpdateGuard):
    """Keep the weights and gradients of an update, also as they were before they were clipped."""

    def __init__(self, session: Session) -> None:
        """Wait for the device's answer at once, as on the CPU."""
        self._parameters_by_name = dict(session.model.named_parameters())
        self._kept: dict[str, tuple[Tensor, Tensor, Tensor]] = {}
        parameters = self._parameters_by_name.values()
        super().__init__(parameters, session.config.clip_grad_norm, torch.device("cpu"))

    def __call__(self, loss: Tensor) -> None:
        """Keep the gradients, clip them, and keep them again; raise NotFiniteError."""
        parameters = self._parameters_by_name.items()
        gradients = {name: one.grad.clone() for name, one in parameters if one.grad is not None}
        super().__call__(loss)
        for name, gradient in gradients.items():
            parameter = self._parameters_by_name[name]
            assert parameter.grad is not None
            self._kept[name] = (parameter.detach().clone(), gradient, parameter.grad.clone())

    def changes(self, optimizer: torch.optim.Optimizer) -> dict[str, Change]:
        """Return what the update did to every parameter, in the optimizer's order."""
        names = {parameter: name for name, parameter in self._parameters_by_name.items()}
        return {
            names[one]: Change(*self._kept[names[one]], lr=group["lr"], after=one.detach())
            for group in optimizer.param_groups
            for one in group["params"]
            if names[one] in self._kept
        }
