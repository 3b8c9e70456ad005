"""The toy sets: points of a plane in two classes, drawn from a seed.

Shape letters: N points; their 2 coordinates are called x1 and x2.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..random_streams import make_generator

CLASS_NAMES = ("orange", "blue")

REACH = 3.0
"""Without noise every coordinate of circle, xor and spiral lies in [−REACH, REACH]."""

SPIRAL_TURNS = 1.75
GAUSS_CENTRE = 1.3
GAUSS_SPREAD = 0.6


@dataclass(frozen=True)
class Points:
    """points_N2: float64 coordinates. labels_N: int64, 0 orange or 1 blue."""

    points_N2: Tensor
    labels_N: Tensor

    def __len__(self) -> int:
        return len(self.labels_N)


def draw_toy_set(
    name: str, num_points: int, noise: float, train_fraction: float, seed: int
) -> tuple[Points, Points]:
    """Draw training and test points of the toy set; the classes take turns.

    ``noise`` is the standard deviation of what is added to each coordinate. With the same
    seed, more noise moves the same points further in the same directions.
    """
    generator = make_generator(seed, "toy set", name)
    labels_N = torch.arange(num_points) % 2
    points_N2 = TOY_SETS[name](labels_N, generator)
    points_N2 = points_N2 + noise * _normal(generator, num_points, 2)
    num_train = round(num_points * train_fraction)
    train = Points(points_N2[:num_train], labels_N[:num_train])
    return train, Points(points_N2[num_train:], labels_N[num_train:])


def circle(labels_N: Tensor, generator: torch.Generator) -> Tensor:
    """Put blue into a disc and orange into a ring around it."""
    share_N = _uniform(generator, len(labels_N))
    disc_N = 0.5 * REACH * share_N.sqrt()  # the root spreads them evenly over the disc
    ring_N = REACH * (0.7 + 0.3 * share_N)
    angle_N = 2 * math.pi * _uniform(generator, len(labels_N))
    return _from_polar(torch.where(labels_N == 1, disc_N, ring_N), angle_N)


def xor(labels_N: Tensor, generator: torch.Generator) -> Tensor:
    """Put blue where x1 and x2 have the same sign, orange where they have not."""
    size_N2 = REACH * (0.1 + 0.9 * _uniform(generator, len(labels_N), 2))
    side_N = (_uniform(generator, len(labels_N)) < 0.5).double() * 2 - 1
    sign_N2 = torch.stack([side_N, torch.where(labels_N == 1, side_N, -side_N)], dim=1)
    return sign_N2 * size_N2


def gauss(labels_N: Tensor, generator: torch.Generator) -> Tensor:
    """Put a normally distributed cloud of each class into opposite corners: a line divides them."""
    centre_N1 = GAUSS_CENTRE * (labels_N[:, None].double() * 2 - 1)
    return centre_N1 + GAUSS_SPREAD * _normal(generator, len(labels_N), 2)


def spiral(labels_N: Tensor, generator: torch.Generator) -> Tensor:
    """Wind two arms around each other, one per class, as dense outside as near the centre."""
    share_N = (0.01 + 0.99 * _uniform(generator, len(labels_N))).sqrt()
    angle_N = 2 * math.pi * SPIRAL_TURNS * share_N + math.pi * labels_N.double()
    return _from_polar(REACH * share_N, angle_N)


TOY_SETS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "circle": circle, "xor": xor, "gauss": gauss, "spiral": spiral,
}  # fmt: skip
"""Functions that return a point (N×2, float64) for every label."""


def _uniform(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def _normal(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def _from_polar(radius_N: Tensor, angle_N: Tensor) -> Tensor:
    return torch.stack([radius_N * angle_N.sin(), radius_N * angle_N.cos()], dim=1)
