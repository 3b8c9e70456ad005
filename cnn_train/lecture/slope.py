"""Follow the slope: the gradient tells the slope in every direction.

    f(θ + h·d) ≈ f(θ) + h · ∇f·d    so the slope along a unit direction d is ∇f·d = ‖∇f‖ cos(angle)

It is largest along the gradient, smallest (most negative) against it, and zero at right angles.
Gradient descent therefore steps along −∇f: no other direction goes down as steeply. In a space of
many dimensions a random direction is almost at right angles to the gradient, so the loss hardly
falls along it.

Shape letters: P parameters.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import UsageError

Value = Callable[[Tensor], float]
SlopeRule = Callable[[Value, Tensor, Tensor, float], float]

TURNS_DEGREES = (0.0, 45.0, 90.0, 135.0, 180.0)
"""Angles to the gradient at which slopes are measured, besides random directions."""

LARGEST_DIFFERENCE = 0.01
"""Measured slopes may differ from ∇f·d by this share of ‖∇f‖; if by more, the gradient is wrong."""


@dataclass(frozen=True)
class DirectionSlope:
    """The slope along one unit direction: measured with small steps, and ∇f·d.

    angle_degrees: between the direction and the gradient.
    """

    is_random: bool
    angle_degrees: float
    numeric: float
    dot: float


@dataclass(frozen=True)
class Slopes:
    """A function's value, the length of its gradient, and its slopes in some directions."""

    value: float
    num_parameters: int
    gradient_norm: float
    h: float
    directions: tuple[DirectionSlope, ...]

    @property
    def agree(self) -> bool:
        """Whether the measured slopes agree with ∇f·d."""
        return self.largest_difference <= LARGEST_DIFFERENCE

    @property
    def largest_difference(self) -> float:
        """The largest difference between a measured slope and ∇f·d, over the gradient's length."""
        return max(abs(d.numeric - d.dot) for d in self.directions) / self.gradient_norm


def numeric_slope(value: Value, point_P: Tensor, direction_P: Tensor, h: float) -> float:
    """Return (f(θ + h·d) − f(θ − h·d)) / 2h."""
    step_P = h * direction_P
    return (value(point_P + step_P) - value(point_P - step_P)) / (2 * h)


def one_sided_slope(value: Value, point_P: Tensor, direction_P: Tensor, h: float) -> float:
    """Return (f(θ + h·d) − f(θ)) / h: for a kink, where the other side has another slope."""
    return (value(point_P + h * direction_P) - value(point_P)) / h


def measure_slopes(
    value: Value,
    gradient_P: Tensor,
    point_P: Tensor,
    *,
    num_random: int,
    generator: torch.Generator,
    h: float,
    rule: SlopeRule = numeric_slope,
) -> Slopes:
    """Measure the slope along the gradient, turned away from it, and in random directions.

    Raises UsageError where the gradient is zero, so that no direction is steepest, or not finite.
    """
    norm = float(gradient_P.norm())
    if norm == 0:
        raise UsageError("the gradient is 0 at this point: it is flat there; choose another point")
    if not math.isfinite(norm):
        raise UsageError("the gradient is too long for a float at this point; choose another point")
    along_P = gradient_P / norm
    turns = TURNS_DEGREES if len(point_P) > 1 else (0.0, 180.0)
    directions = [(False, turn(along_P, degrees, generator)) for degrees in turns]
    directions += [(True, random_direction(point_P, generator)) for _ in range(num_random)]
    return Slopes(
        value=value(point_P),
        num_parameters=len(point_P),
        gradient_norm=norm,
        h=h,
        directions=tuple(
            DirectionSlope(
                is_random=is_random,
                angle_degrees=angle_between(along_P, direction_P),
                numeric=rule(value, point_P, direction_P, h),
                dot=float(gradient_P @ direction_P),
            )
            for is_random, direction_P in directions
        ),
    )


def random_direction(point_P: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a unit direction, all equally likely."""
    drawn_P = torch.randn(len(point_P), generator=generator, dtype=torch.float64)
    unit_P: Tensor = drawn_P / drawn_P.norm()
    return unit_P.to(point_P.device)


def turn(along_P: Tensor, degrees: float, generator: torch.Generator) -> Tensor:
    """Return the unit direction at an angle to ``along_P``, towards a random side."""
    if degrees in (0.0, 180.0):
        return along_P if degrees == 0.0 else -along_P
    side_P = random_direction(along_P, generator)
    side_P -= (side_P @ along_P) * along_P
    radians = math.radians(degrees)
    turned_P: Tensor = math.cos(radians) * along_P + math.sin(radians) * side_P / side_P.norm()
    return turned_P


def angle_between(along_P: Tensor, direction_P: Tensor) -> float:
    """Return the angle of two unit directions in degrees."""
    cosine = float(along_P @ direction_P)
    return math.degrees(math.acos(min(max(cosine, -1.0), 1.0)))
