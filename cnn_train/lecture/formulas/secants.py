"""The slope in one dimension: secants that turn into the tangent.

    df/dx = lim h→0 (f(x + h) − f(x)) / h

A secant goes through the points of the curve at x and x + h. The smaller h, the closer its slope is
to the tangent's: about proportionally, as long as rounding does not disturb.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .elementary import DomainError
from .numerical import Function, forward_differences

STEPS = (1.0, 0.5, 0.1, *(float(f"1e-{k}") for k in range(2, 9)))


@dataclass(frozen=True)
class Secant:
    """The secant to x + h, with the tangent's slope as reference; None without a value there."""

    h: float
    slope: float | None
    error: float | None


def secants(f: Function, x: float, tangent: float, steps: Sequence[float]) -> list[Secant]:
    """Return a secant for each step, which may be negative; errors are absolute."""

    def slope(h: float) -> float | None:
        try:
            return forward_differences(f, [x], h)[0]
        except (DomainError, OverflowError):
            return None

    slopes = [(h, slope(h)) for h in steps]
    return [Secant(h, s, None if s is None else abs(s - tangent)) for h, s in slopes]
