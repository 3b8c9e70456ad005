"""What an update does to every parameter: its value before, its gradient, its value after.

The gradient is kept twice: as the backward pass computed it, and as the update used it, which
``clip_grad_norm`` may have shortened.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..training.session import Session
from ..training.update_guard import UpdateGuard

VELOCITY = "momentum_buffer"
"""What torch's optimizers call v."""


@dataclass(frozen=True)
class Change:
    """One parameter around the update, its gradient before and after clipping, and its rate.

    velocity: the optimizer's, before the update; None where it keeps none.
    """

    before: Tensor
    gradient: Tensor
    clipped: Tensor
    velocity: Tensor | None
    lr: float
    after: Tensor

    @property
    def plain(self) -> Tensor:
        """The value that plain SGD gives, in the same float32: θ − η g."""
        return torch.add(self.before, self.clipped, alpha=-self.lr)


class KeepingGuard(UpdateGuard):
    """Keep the weights of an update, and its gradients before and after they were clipped."""

    def __init__(self, session: Session) -> None:
        """Check the numbers at once on every device, as on the CPU."""
        self._names = {p: name for name, p in session.model.named_parameters()}
        self._kept: dict[Tensor, tuple[Tensor, Tensor, Tensor, Tensor | None]] = {}
        self._state = session.optimizer.state
        super().__init__(self._names, session.config.clip_grad_norm, torch.device("cpu"))

    def __call__(self, loss: Tensor) -> None:
        """Keep the gradients, clip them, and keep them again; raise NotFiniteError."""
        gradients = {p: p.grad.clone() for p in self._names if p.grad is not None}
        super().__call__(loss)
        for parameter, gradient in gradients.items():
            assert parameter.grad is not None
            before, velocity = parameter.detach().clone(), self._state[parameter].get(VELOCITY)
            velocity = None if velocity is None else velocity.clone()
            self._kept[parameter] = (before, gradient, parameter.grad.clone(), velocity)

    def changes(self, optimizer: torch.optim.Optimizer) -> dict[str, Change]:
        """Return what the update did to every parameter, in the optimizer's order."""
        return {
            self._names[p]: Change(*self._kept[p], lr=group["lr"], after=p.detach())
            for group in optimizer.param_groups
            for p in group["params"]
            if p in self._kept
        }
