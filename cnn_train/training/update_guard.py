"""Notice a loss or a gradient that is not finite before it reaches a checkpoint.

On the CPU, every update is checked before it is made. A GPU is not waited for: its values are read
a few updates late. By then the weights in memory may be spoilt; the saved files never are.
"""

import math
from collections import deque
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

# How many updates later a GPU's values are read: late enough that reading them never waits.
GPU_LAG = 4


class NotFiniteError(ArithmeticError):
    """A watched value stopped being finite; ``gradient_norm`` belongs to the same update."""

    def __init__(self, what: str, gradient_norm: float, updates_ago: int) -> None:
        self.what, self.gradient_norm, self.updates_ago = what, gradient_norm, updates_ago
        super().__init__(f"the {what} is not finite")


class UpdateGuard:
    """Check every update before it is made: clip its gradient, refuse what is not finite."""

    def __init__(
        self,
        parameters: Iterable[Tensor],
        max_norm: float,
        device: torch.device,
        *,
        alone: bool = True,
    ) -> None:
        """``max_norm`` 0 never clips.

        With several processes (not ``alone``) each knows only its part of the loss. The gradient
        is the same in all of them and is checked alone, so that all stop at the same update.
        """
        self._parameters = list(parameters)
        self._max_norm, self._alone = max_norm, alone
        self._lag = 0 if device.type == "cpu" else GPU_LAG
        self._pending: deque[tuple[Tensor, torch.cuda.Event | None]] = deque()

    def __call__(self, loss: Tensor) -> None:
        """Clip the gradients of ``loss``, which are ready; raise NotFiniteError."""
        norm = gradient_norm(self._parameters, self._max_norm)
        watched = loss.detach() if self._alone else norm
        self._pending.append(_start_copy(torch.stack([watched.float(), norm.float()])))
        if len(self._pending) <= self._lag:
            return
        copy, arrival = self._pending.popleft()
        if arrival is not None:
            arrival.synchronize()
        loss_value, norm_value = copy.tolist()
        if not (math.isfinite(loss_value) and math.isfinite(norm_value)):
            updates_ago = len(self._pending)
            self._pending.clear()
            what = "gradient" if math.isfinite(loss_value) or not self._alone else "training loss"
            raise NotFiniteError(what, norm_value, updates_ago)


def _start_copy(values: Tensor) -> tuple[Tensor, "torch.cuda.Event | None"]:
    """Bring ``values`` to the CPU without waiting; the event, if any, tells when they are there."""
    if values.device.type != "cuda":
        return values.cpu(), None
    copy = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    copy.copy_(values, non_blocking=True)
    arrival = torch.cuda.Event()  # type: ignore[no-untyped-call]
    arrival.record(torch.cuda.current_stream(values.device))  # of that GPU, which may be cuda:1
    return copy, arrival


def gradient_norm(parameters: Sequence[Tensor], max_norm: float) -> Tensor:
    """Return the Euclidean norm of the whole gradient (0-dimensional, on the device).

    A norm above ``max_norm`` (0: never) is brought down to it, by shortening every gradient by the
    same factor (Pascanu et al. 2013, arXiv:1211.5063).
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if max_norm > 0:
        torch.nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)
    return norm
