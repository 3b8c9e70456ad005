"""Check a backward pass: compare it with finite differences of the loss, weight by weight.

    ∇L · d ≈ (L(θ + h d) − L(θ − h d)) / 2h        error: h²/6 · L''' and, from rounding, ε L/h

d is e_i, for some entries i of each tensor, and once a random direction ±1/√n through all n
entries, which shows an error in entries that were not chosen. In float64 both numerical errors are
far below the error of a wrong sign, a factor of 2 or a forgotten term. Where the two points lie on
different sides of a kink, the difference is no slope: the step is made smaller, and if that does
not help, the slope is reported but not judged.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from .kinks import KinkWatch, Pattern, kinks_between

STEPS = (1e-6, 1e-7, 1e-8)
"""Step widths h; a smaller one is taken where a larger one crosses a kink."""

TOLERANCE = 1e-5
"""Largest relative error of a right gradient. The mistakes that people make are of order 1."""

ROUNDING = 64 * torch.finfo(torch.float64).eps
"""How far two float64 losses may differ by rounding alone, relative to the loss."""

MOST_DIRECTIONS = 3

IN_THE_LOSS = {"ReLU": "hinge margin", "|x|": "|W|"}
"""Names for kinks of the loss, which comes after the network."""


@dataclass(frozen=True)
class Objective:
    """A loss in two steps, scores and total, to separate the network's kinks from the loss's."""

    scores: Callable[[], Tensor]
    loss: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Slope:
    """One slope of the loss along one direction, by backpropagation and by differences.

    index: the entry along which, or None: the direction through all entries of the tensor.
    kinks: those between the two points of the last, smallest step; if any, it is not judged.
    """

    index: tuple[int, ...] | None
    backward: float
    numeric: float
    error: float
    h: float
    kinks: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether it is not judged, or off by no more than TOLERANCE."""
        return bool(self.kinks) or self.error <= TOLERANCE

    def to_json(self) -> dict[str, Any]:
        """Return the slope's part of a JSON document; None stands for what is not finite."""
        return {key: _finite(value) for key, value in asdict(self).items()}


@dataclass(frozen=True)
class TensorCheck:
    """The slopes of one parameter tensor: along some entries, and along a direction through all."""

    name: str
    shape: tuple[int, ...]
    entries: tuple[Slope, ...]
    direction: Slope

    @property
    def slopes(self) -> tuple[Slope, ...]:
        """All of them, the direction last."""
        return (*self.entries, self.direction)

    @property
    def judged(self) -> tuple[Slope, ...]:
        """The slopes without a kink between their two points."""
        return tuple(slope for slope in self.slopes if not slope.kinks)

    @property
    def worst(self) -> Slope | None:
        """The slope with the largest relative error, of those that are judged."""
        return worst_of(self.slopes)

    @property
    def passed(self) -> bool:
        """Whether no judged slope is off by more than TOLERANCE."""
        return all(slope.passed for slope in self.slopes)

    def to_json(self) -> dict[str, Any]:
        """Return the tensor's part of the document that ``gradcheck --json`` prints."""
        direction = self.direction.to_json()
        del direction["index"]
        return {
            "name": self.name,
            "shape": self.shape,
            "passed": self.passed,
            "largest_error": _finite(self.worst.error) if self.worst else None,
            "entries": [slope.to_json() for slope in self.entries],
            "direction": direction,
        }


def worst_of(slopes: Iterable[Slope]) -> Slope | None:
    """Return the judged slope with the largest relative error."""
    judged = (slope for slope in slopes if not slope.kinks)
    return max(judged, key=lambda slope: slope.error, default=None)


def _finite(value: Any) -> Any:
    """Return None for a number that is not finite, which JSON lacks."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def check_gradient(
    objective: Objective,
    parameters: Mapping[str, Tensor],
    *,
    samples: int,
    generator: torch.Generator,
) -> Iterator[TensorCheck]:
    """Yield the check of each parameter (float64): its steepest entry, some drawn ones and all.

    ``objective`` must be a function of the parameters: the same numbers give the same loss. A
    parameter that the backward pass leaves out counts as having the gradient 0. Weights are moved
    while it runs and are back, to the bit, whenever it yields.
    """
    assert all(tensor.dtype == torch.float64 for tensor in parameters.values())
    total = objective.loss(objective.scores())
    gradients = torch.autograd.grad(
        total, list(parameters.values()), allow_unused=True, materialize_grads=True
    )
    for (name, tensor), gradient in zip(parameters.items(), gradients, strict=True):
        entries = []
        for index in choose_entries(gradient, samples, generator):
            unit = torch.zeros_like(tensor)
            unit[index] = 1.0
            entries.append(check_slope(objective, tensor, unit, float(gradient[index]), index))
        direction = check_direction(objective, tensor, gradient, generator)
        yield TensorCheck(name, tuple(tensor.shape), tuple(entries), direction)


def choose_entries(
    gradient: Tensor, samples: int, generator: torch.Generator
) -> list[tuple[int, ...]]:
    """Return up to ``samples`` different entries, the one with the steepest slope first."""
    drawn = torch.randint(gradient.numel(), (samples,), generator=generator)
    flat = dict.fromkeys([int(gradient.abs().flatten().argmax()), *drawn.tolist()])
    places = (torch.unravel_index(torch.tensor(i), gradient.shape) for i in list(flat)[:samples])
    return [tuple(int(axis) for axis in place) for place in places]


def check_direction(
    objective: Objective, tensor: Tensor, gradient: Tensor, generator: torch.Generator
) -> Slope:
    """Compare the slope along a random ±1/√n in all n entries; if kinks intervene, draw another."""
    for _ in range(MOST_DIRECTIONS):
        signs = torch.randint(2, tensor.shape, generator=generator).to(tensor) * 2 - 1
        direction = signs / math.sqrt(tensor.numel())
        backward = float((gradient * direction).sum())
        slope = check_slope(objective, tensor, direction, backward, None)
        if not slope.kinks:
            break
    return slope


def check_slope(
    objective: Objective,
    tensor: Tensor,
    direction: Tensor,
    backward: float,
    index: tuple[int, ...] | None,
) -> Slope:
    """Compare one slope, with the largest step that crosses no kink. ``direction``: of norm 1."""
    for h in STEPS:
        numeric, size, kinks = difference(objective, tensor, direction, h)
        if not kinks:
            break
    rounding = ROUNDING * max(size, 1.0) / h
    error = relative_error(backward, numeric, rounding / TOLERANCE)
    return Slope(index, backward, numeric, error, h, tuple(kinks))


def relative_error(backward: float, numeric: float, floor: float) -> float:
    """Return |a − n| / max(|a|, |n|, floor): 0 if equal, 1 for a lost gradient, 2 for a wrong sign.

    ``floor`` keeps the rounding error of a slope near 0 below the tolerance. Infinite where a
    slope is not finite.
    """
    if not (math.isfinite(backward) and math.isfinite(numeric)):
        return math.inf
    return abs(backward - numeric) / max(abs(backward), abs(numeric), floor)


@torch.no_grad()
def difference(
    objective: Objective, tensor: Tensor, direction: Tensor, h: float
) -> tuple[float, float, list[str]]:
    """Return the centred difference, the size of the loss, and the kinks in between."""
    here = tensor.clone()
    losses, patterns, points = [], [], []
    for step in (h, -h):
        tensor.copy_(here + step * direction)
        points.append(tensor.clone())
        loss, pattern = watched_loss(objective)
        losses.append(loss)
        patterns.append(pattern)
    tensor.copy_(here)
    width = float(((points[0] - points[1]) * direction).sum())  # not quite 2h: weights are rounded
    slope = (losses[0] - losses[1]) / width
    return slope, max(map(abs, losses)), kinks_between(*patterns)


def watched_loss(objective: Objective) -> tuple[float, list[Pattern]]:
    """Return the loss, and on which side of every kink it was computed."""
    with KinkWatch() as network:
        scores = objective.scores()
    with KinkWatch() as after_it:
        loss = objective.loss(scores)
    renamed = [(IN_THE_LOSS.get(kind, kind), side) for kind, side in after_it.patterns]
    return float(loss), network.patterns + renamed
