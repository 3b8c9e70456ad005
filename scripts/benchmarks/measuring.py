"""Medians with their spread, from candidates that take turns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Spread:
    """The median of some measurements, with the smallest and the largest of them."""

    median: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Spread":
        """Summarise at least one measurement."""
        return cls(median(samples), min(samples), max(samples), len(samples))

    @classmethod
    def of_ratios(cls, numerators: Sequence[float], denominators: Sequence[float]) -> "Spread":
        """Summarise the quotients of each round: what disturbed a round disturbed both."""
        return cls.of([a / b for a, b in zip(numerators, denominators, strict=True)])


def take_turns(
    candidates: Mapping[str, Callable[[], float]], repeats: int, *, warm_up: bool = True
) -> dict[str, list[float]]:
    """Measure all candidates in every round, in alternating order, after one round unrecorded.

    Whatever slows the machine down for a while then slows all of them down.
    """
    if warm_up:
        for measure in candidates.values():
            measure()
    samples: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(repeats):
        names = list(candidates)
        for name in names if turn % 2 == 0 else reversed(names):
            samples[name].append(candidates[name]())
    return samples


def times_to_fill(budget_seconds: float, one_seconds: float) -> int:
    """Return how many repetitions of a piece of work fill the budget: at least one."""
    return max(1, round(budget_seconds / one_seconds))
