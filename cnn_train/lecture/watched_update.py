"""What an update does to every parameter: its value before, its gradient, its value after.

The gradient is kept twice: as the backward pass made it, and as the update followed it, which
``clip_grad_norm`` may have shortened in between.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

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
    """Keep every gradient as it is before it is shortened; wait for the device's answer."""

    def __init__(self, session: Session) -> None:
        parameters = dict(session.model.named_parameters())
        super().__init__(parameters.values(), session.config.clip_grad_norm, torch.device("cpu"))
        self.parameters = parameters
        self.gradients: dict[str, Tensor] = {}

    def __call__(self, loss: Tensor) -> None:
        """Keep the gradients, then clip them; raise NotFiniteError."""
        for name, one in self.parameters.items():
            if one.grad is not None:
                self.gradients[name] = one.grad.clone()
        super().__call__(loss)


@contextmanager
def watched_update(session: Session, guard: KeepingGuard) -> Iterator[dict[str, Change]]:
    """Yield every parameter's change, which is there when the update has been made."""
    optimizer, changes = session.optimizer, dict[str, Change]()
    names = {parameter: name for name, parameter in session.model.named_parameters()}
    before: dict[str, tuple[Tensor, Tensor, Tensor, float]] = {}

    def keep_before(*_: Any) -> None:
        for group in optimizer.param_groups:
            for one in group["params"]:
                if one.grad is not None:
                    name = names[one]
                    kept = (one.detach().clone(), guard.gradients[name], one.grad.clone())
                    before[name] = (*kept, group["lr"])

    def keep_after(*_: Any) -> None:
        for name, values in before.items():
            changes[name] = Change(*values, session.model.get_parameter(name).detach().clone())

    hooks = (
        optimizer.register_step_pre_hook(keep_before),
        optimizer.register_step_post_hook(keep_after),
    )
    try:
        yield changes
    finally:
        for hook in hooks:
            hook.remove()
