"""The ten outlines of the shapes dataset, as signed distances to their boundary.

An outline lives in a plane of its own: centre (0, 0), x to the right, y down, about 1 unit from
the centre to the farthest tip. Its distance is negative inside and positive outside, so that a
union is a minimum and a cut is a maximum. Arrays are B1HW: B images, H W points of each.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from .canvas import Plane, length

Scalar = float | Plane
Outline = Callable[[Plane, Plane, Plane], Plane]


def disc(x: Plane, y: Plane, radius: Scalar, *, at: tuple[Scalar, Scalar] = (0, 0)) -> Plane:
    """Return the signed distance of points to the circle of ``radius`` around ``at``."""
    return length(x - at[0], y - at[1]) - radius


def polygon(x: Plane, y: Plane, corners: Sequence[tuple[Scalar, Scalar]]) -> Plane:
    """Return the signed distance of points to the closed polygon through ``corners``.

    The size is the distance to the nearest edge; the sign comes from the even-odd rule: a ray to
    the right of an inner point crosses an odd number of edges.
    """
    nearest_squared = np.full_like(x, np.inf)
    inside = np.zeros_like(x, dtype=np.bool_)
    for (start_x, start_y), (end_x, end_y) in pairwise([*corners, corners[0]]):
        edge_x, edge_y = end_x - start_x, end_y - start_y
        point_x, point_y = x - start_x, y - start_y
        along = (point_x * edge_x + point_y * edge_y) / (edge_x * edge_x + edge_y * edge_y)
        along = np.clip(along, 0, 1)
        gap_x, gap_y = point_x - along * edge_x, point_y - along * edge_y
        nearest_squared = np.minimum(nearest_squared, gap_x * gap_x + gap_y * gap_y)
        spans_the_ray = (y < start_y) != (y < end_y)
        is_to_the_right = (point_x * edge_y < point_y * edge_x) == (edge_y > 0)
        inside ^= spans_the_ray & is_to_the_right
    nearest = np.sqrt(nearest_squared)
    return np.where(inside, -nearest, nearest)


def arrow(x: Plane, y: Plane, slack: Plane) -> Plane:
    """Draw an arrow that points up; ``slack`` widens its shaft."""
    shaft, neck = 0.27 + 0.07 * slack, -0.1
    right_half: list[tuple[Scalar, Scalar]] = [(0.82, neck), (shaft, neck), (shaft, 0.95)]
    return polygon(x, y, [(0.0, -1.0), *right_half, *_mirrored(right_half)])


def circle(x: Plane, y: Plane, slack: Plane) -> Plane:
    """Draw a circle; ``slack`` flattens it."""
    return disc(x * (1 + 0.1 * slack), y, 0.85)


def crescent(x: Plane, y: Plane, slack: Plane) -> Plane:
    """Draw a moon that is open to the right; ``slack`` thins it.

    Between the rays that leave the tips from either disc's centre, the nearest point is a tip.
    """
    radius, bite_radius, bite_x = 0.95, 0.8, 0.5 - 0.1 * slack
    tip_x = (radius**2 - bite_radius**2 + bite_x**2) / (2 * bite_x)
    tip_y = np.sqrt(radius**2 - tip_x**2)
    right_of_tip = x * tip_y - np.abs(y) * tip_x
    nearest_is_tip = right_of_tip > np.maximum(0, bite_x * (tip_y - np.abs(y)))
    arcs = np.maximum(disc(x, y, radius), -disc(x, y, bite_radius, at=(bite_x, 0)))
    return np.where(nearest_is_tip, disc(x, np.abs(y), 0, at=(tip_x, tip_y)), arcs)


def cross(x: Plane, y: Plane, slack: Plane) -> Plane:
    """Draw a plus sign; ``slack`` widens its arms."""
    inner, outer = 0.3 + 0.07 * slack, 0.95
    right_half: list[tuple[Scalar, Scalar]] = [
        (inner, -outer), (inner, -inner), (outer, -inner),
        (outer, inner), (inner, inner), (inner, outer),
    ]  # fmt: skip
    return polygon(x, y, [*right_half, *_mirrored(right_half)])


def drop(x: Plane, y: Plane, slack: Plane) -> Plane:
    """Draw a drop of water, its tip up; ``slack`` fattens it.

    The straight sides are the tangents from the tip to the round body: seen from the body's
    centre they touch it where the sine above the horizon is radius / (centre to tip).
    """
    radius, centre_y, tip_y = 0.6 + 0.05 * slack, 0.35, -1.0
    sine = radius / (centre_y - tip_y)
    touch_x, touch_y = radius * np.sqrt(1 - sine * sine), centre_y - radius * sine
    cone = polygon(x, y, [(0.0, tip_y), (touch_x, touch_y), (0, centre_y), (-touch_x, touch_y)])
    return np.minimum(cone, disc(x, y, radius, at=(0, centre_y)))


def flower(x: Plane, y: Plane, slack: Plane) -> Plane:
    """Draw five round petals around a disc; ``slack`` fattens the petals."""
    distance = disc(x, y, 0.4)
    for sine, cosine in _directions(5):
        petal = disc(x, y, 0.35 + 0.04 * slack, at=(0.6 * sine, -0.6 * cosine))
        distance = np.minimum(distance, petal)
    return distance


def heart(x: Plane, y: Plane, slack: Plane) -> Plane:
    """Draw a heart: a square on its corner with a half disc on each upper side."""
    half, middle = 0.8, 0.15 + 0.05 * slack
    on_its_corner = polygon(
        x, y, [(0.0, middle - half), (half, middle), (0.0, middle + half), (-half, middle)]
    )
    lobe = disc(np.abs(x), y, half / math.sqrt(2), at=(half / 2, middle - half / 2))
    return np.minimum(on_its_corner, lobe)


def square(x: Plane, y: Plane, slack: Plane) -> Plane:
    """Draw a square; ``slack`` makes it a rectangle."""
    half_x, half_y = 0.76 + 0.07 * slack, 0.76 - 0.07 * slack
    corners = [(half_x, -half_y), (half_x, half_y), (-half_x, half_y), (-half_x, -half_y)]
    return polygon(x, y, corners)


def star(x: Plane, y: Plane, slack: Plane) -> Plane:
    """Draw a five-pointed star; ``slack`` fattens it."""
    radii: tuple[Scalar, Scalar] = (1.05, 0.46 + 0.07 * slack)
    corners = [
        (radii[i % 2] * sine, -radii[i % 2] * cosine)
        for i, (sine, cosine) in enumerate(_directions(10))
    ]
    return polygon(x, y, corners)


def triangle(x: Plane, y: Plane, slack: Plane) -> Plane:
    """Draw a triangle on its base; ``slack`` widens it."""
    half_base = 0.92 + 0.1 * slack
    return polygon(x, y, [(0.0, -0.95), (half_base, 0.7), (-half_base, 0.7)])


def _directions(count: int) -> list[tuple[float, float]]:
    """Return (sine, cosine) of ``count`` equal steps around the circle, from the top."""
    angles = [2 * math.pi * i / count for i in range(count)]
    return [(math.sin(angle), math.cos(angle)) for angle in angles]


def _mirrored(right_half: Sequence[tuple[Scalar, Scalar]]) -> list[tuple[Scalar, Scalar]]:
    """Reflect corners at the vertical axis, in the order that continues the outline."""
    return [(-x, y) for x, y in reversed(right_half)]


OUTLINES: dict[str, Outline] = {
    outline.__name__: outline
    for outline in (arrow, circle, crescent, cross, drop, flower, heart, square, star, triangle)
}
