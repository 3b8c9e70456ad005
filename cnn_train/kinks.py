"""Where a computation has a corner: on which side of each of its kinks every value lies.

ReLU, max-pooling, a margin and |w| are straight lines that meet in a corner. A difference across
a corner says nothing about the slope on either side. Two computations whose patterns (active units,
places of maxima, signs) are equal took the same straight pieces: no corner lies between them.

Operations are watched below ``nn.Module`` (a torch dispatch mode), so that functions count too.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten

Pattern = tuple[str, Tensor]
"""The kind of kink, and the side or place of every value."""

Side = Callable[..., Tensor]

SIDES: dict[Any, tuple[str, Side]] = {
    aten.relu: ("ReLU", lambda x: x > 0),
    aten.relu_: ("ReLU", lambda x: x > 0),
    aten.leaky_relu: ("ReLU", lambda x, *_: x > 0),
    aten.threshold: ("ReLU", lambda x, edge, *_: x > edge),
    aten.clamp_min: ("ReLU", lambda x, edge: x > edge),
    aten.clamp: ("ReLU", lambda x, low=None, high=None: _between(x, low, high)),
    aten.hardtanh: ("ReLU", lambda x, low=-1.0, high=1.0: _between(x, low, high)),
    aten.hardtanh_: ("ReLU", lambda x, low=-1.0, high=1.0: _between(x, low, high)),
    aten.hardsigmoid: ("ReLU", lambda x: _between(x, -3.0, 3.0)),
    aten.hardswish: ("ReLU", lambda x: _between(x, -3.0, 3.0)),
    aten.abs: ("|x|", torch.sign),
    aten.maximum: ("max", lambda a, b: a > b),
}
"""By operation: what to call its kink, and where a value lies, told from its arguments."""

PLACES = {
    aten.max_pool2d_with_indices: "max-pool",
    aten.adaptive_max_pool2d: "max-pool",
    aten.max: "max",
}
"""Operations whose second result is the place of each maximum."""


def _between(x: Tensor, low: float | None, high: float | None) -> Tensor:
    """Return 0 below, 1 between and 2 above the edges; an edge that is None is not there."""
    above_low = x > low if low is not None else torch.ones_like(x, dtype=torch.bool)
    above_high = x > high if high is not None else torch.zeros_like(x, dtype=torch.bool)
    return above_low.to(torch.int8) + above_high.to(torch.int8)


class KinkWatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Record the pattern of every operation with a kink that runs inside the block."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.patterns: list[Pattern] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        operation = func.overloadpacket
        if operation in SIDES:  # before it runs: it may work in place
            kind, side = SIDES[operation]
            self.patterns.append((kind, side(*args, **(kwargs or {}))))
        result = func(*args, **(kwargs or {}))
        if operation in PLACES and isinstance(result, tuple):
            self.patterns.append((PLACES[operation], result[1]))
        return result


def kinks_between(before: Sequence[Pattern], after: Sequence[Pattern]) -> list[str]:
    """Name the kinds of kink that lie between two runs of the same computation, each once."""
    pairs = zip(before, after, strict=True)
    kinds = (kind for (kind, one), (_, other) in pairs if not torch.equal(one, other))
    return list(dict.fromkeys(kinds))
