"""Notice a loss or a gradient that is not finite before it reaches a checkpoint.

On the CPU, every update is looked at before it is made. A GPU is not waited for: its answer is read
a few updates late, when it has long been computed, so the weights in memory may be lost by then;
the files never are.
"""

import math
from collections import deque
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

# How many updates later a GPU's answer is read: long enough that reading it never waits.
GPU_LAG = 4


class NotFiniteError(ArithmeticError):
    """A watched value stopped being finite; ``gradient_norm`` belongs to the same update."""

    def __init__(self, what: str, gradient_norm: float, updates_ago: int) -> None:
        self.what, self.gradient_norm, self.updates_ago = what, gradient_norm, updates_ago
        super().__init__(f"the {what} is not finite")


class UpdateGuard:
    """Look at every update before it is made: shorten its gradient, refuse what is not finite."""

    def __init__(
        self,
        parameters: Iterable[Tensor],
        max_norm: float,
        device: torch.device,
        *,
        alone: bool = True,
    ) -> None:
        """``max_norm`` 0 never clips.

        Not ``alone``, the loss is one process's part of it: the gradient, which all processes
        share, is judged by itself, so that all of them stop at the same update.
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
        if len(self._pending) > self._lag:
            self._judge()

    def _judge(self) -> None:
        copy, arrival = self._pending.popleft()
        if arrival is not None:
            arrival.synchronize()
        loss, norm = copy.tolist()
        if not (math.isfinite(loss) and math.isfinite(norm)):
            updates_ago = len(self._pending)
            self._pending.clear()
            what = "gradient" if math.isfinite(loss) or not self._alone else "training loss"
            raise NotFiniteError(what, norm, updates_ago)


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
