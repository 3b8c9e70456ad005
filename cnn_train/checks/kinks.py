"""Find the kinks of a computation, and on which side of each kink every value lies.

ReLU, max-pooling, a margin and |w| are straight lines that meet in a kink. A difference across a
kink says nothing about the slope on either side. Two computations with equal patterns (active
units, places of maxima, signs) took the same straight pieces: no kink lies between them.

Operations are watched below ``nn.Module`` (a torch dispatch mode), so that functions count too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten

TIE = 64 * torch.finfo(torch.float64).eps
"""How far two float64 values may differ by rounding alone, relative to the largest around."""


@dataclass(frozen=True)
class Places:
    """Where in each plane the maxima lie (flat), and the values among which they were sought.

    values_CHW, places_Chw: any number of leading dimensions.
    """

    values_CHW: Tensor
    places_Chw: Tensor

    def matches(self, other: "Places") -> bool:
        """Whether the maxima lie at the same places, or at places of equal value (up to rounding).

        In a flat part of an image all values of a window are equal, in both computations: which
        of them counts as the maximum changes nothing.
        """
        return self._reaches(other) and other._reaches(self)

    def _reaches(self, other: "Places") -> bool:
        """Whether the values here at the other's places are as large as the maxima."""
        values = self.values_CHW.flatten(-2)
        own, others = (places.places_Chw.flatten(-2) for places in (self, other))
        gap = values.gather(-1, own) - values.gather(-1, others)
        return not bool((gap > TIE * values.abs().max()).any())


Pattern = tuple[str, Tensor | Places]
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
"""By operation: what to call its kink, and on which side of it a value lies."""

POOLS = (aten.max_pool2d_with_indices, aten.adaptive_max_pool2d)
"""Operations whose second result is the place of each maximum in its plane."""


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
        if operation in POOLS:
            self.patterns.append(("max-pool", Places(args[0], result[1])))
        if operation == aten.max and isinstance(result, tuple):
            self.patterns.append(("max", result[1]))
        return result


def kinks_between(before: Sequence[Pattern], after: Sequence[Pattern]) -> list[str]:
    """Name the kinds of kink that lie between two runs of the same computation, each once."""
    pairs = zip(before, after, strict=True)
    kinds = (kind for (kind, one), (_, other) in pairs if not _same(one, other))
    return list(dict.fromkeys(kinds))


def _same(one: Tensor | Places, other: Tensor | Places) -> bool:
    if isinstance(one, Places) and isinstance(other, Places):
        return one.matches(other)
    return isinstance(one, Tensor) and isinstance(other, Tensor) and torch.equal(one, other)
