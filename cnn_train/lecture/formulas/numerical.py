"""Numerical differentiation: change an input a little and see how much the value changes.

    forward    (f(x + h) − f(x)) / h           wrong by about h · f″/2
    centred    (f(x + h) − f(x − h)) / 2h      wrong by about h² · f‴/6

It is slow: one or two evaluations per input. And it is approximate for two reasons: a large h is
wrong by the terms above; a small h subtracts two nearly equal numbers, of which a float keeps 16
digits, and divides the rounding error by h. So the error against h has the shape of a U. But it is
easy to write and hard to get wrong: that is why every gradient is checked with it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .elementary import ANOTHER_POINT, DomainError

Function = Callable[[Sequence[float]], float]
Rule = Callable[[Function, Sequence[float], float], list[float]]

NOTICEABLE_ERROR, NOTICEABLE_RATIO = 1e-12, 10.0
"""An end of the curve is wrong if its error is above 1e-12 and ten times the smallest error."""


def forward_differences(f: Function, point: Sequence[float], h: float) -> list[float]:
    """Return the gradient from n + 1 evaluations."""
    here = f(point)
    return [(f(moved(point, i, h)) - here) / h for i in range(len(point))]


def centred_differences(f: Function, point: Sequence[float], h: float) -> list[float]:
    """Return the gradient from 2n evaluations, with an error in h² instead of h."""
    return [(f(moved(point, i, h)) - f(moved(point, i, -h))) / (2 * h) for i in range(len(point))]


def moved(point: Sequence[float], i: int, h: float) -> list[float]:
    """Return ``point`` with h added to input i."""
    return [x + h if j == i else x for j, x in enumerate(point)]


def largest_error(gradient: Sequence[float], exact: Sequence[float]) -> float:
    """Return the largest relative error of an entry; absolute where the exact slope is 0."""
    return max(abs(g - e) / (abs(e) or 1.0) for g, e in zip(gradient, exact, strict=True))


def beside(f: Function) -> Function:
    """Return ``f`` with an error that names the step --h where a point a step away has no value."""

    def value(point: Sequence[float]) -> float:
        try:
            return f(point)
        except DomainError as problem:
            reason = str(problem).removesuffix(ANOTHER_POINT)
            advice = "a step of --h leads there, choose a smaller one"
            raise DomainError(f"{reason}; {advice}") from None

    return value


@dataclass(frozen=True)
class StepError:
    """The largest error of an entry with one step h; None where f has no value beside the point."""

    h: float
    forward: float | None
    centred: float | None


def errors_against_step(
    f: Function, point: Sequence[float], exact: Sequence[float]
) -> list[StepError]:
    """Return the errors for h = 0.1, 0.01, … 1e-15."""

    def error(rule: Rule, h: float) -> float | None:
        try:
            largest = largest_error(rule(f, point, h), exact)
        except DomainError:
            return None
        return largest if math.isfinite(largest) else None

    steps = [float(f"1e-{k}") for k in range(1, 16)]
    rules = (forward_differences, centred_differences)
    return [StepError(h, *(error(rule, h) for rule in rules)) for h in steps]


def reasons_for_errors(curve: Sequence[StepError]) -> tuple[bool, bool]:
    """Compare the errors at both ends of the curve with its smallest one.

    Say whether large steps are wrong, as the function bends or has a kink, and whether small ones
    are, as they divide the rounding error.
    """
    by_rule = ([at.forward for at in curve], [at.centred for at in curve])
    lines = [known for line in by_rule if (known := [e for e in line if e is not None])]
    bends = any(_is_worse(line[0], line) for line in lines)
    return bends, any(_is_worse(line[-1], line) for line in lines)


def _is_worse(error: float, line: Sequence[float]) -> bool:
    return error > max(NOTICEABLE_ERROR, NOTICEABLE_RATIO * min(line))
