"""Tools to paint the shapes: random numbers, coordinates, colours and smooth edges.

Shape letters: B images, C colour channels, H W pixels. Every array has four axes: B111 a number
per image, B311 a colour, B1HW a plane of distances or opacities, B3HW a picture in [0, 1]. The
canvas spans [-1, 1], x to the right, y down, so that nothing depends on the number of pixels.

NumPy, not torch: these are hundreds of small operations, and torch would wake all its threads
for each of them, which is slow wherever other programs want the same cores.
"""

import math

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Plane = NDArray[np.floating]


class Dice:
    """Draws random numbers for ``num_images`` images at once from one generator.

    A draw takes equally many random numbers whatever its bounds, so that changing the strength of
    one challenge leaves every other challenge as it was.
    """

    def __init__(self, generator: Generator, num_images: int) -> None:
        self._generator = generator
        self._num_images = num_images

    def uniform(self, low: float, high: float) -> Plane:
        """Draw a number in [low, high) for every image (B111)."""
        return low + (high - low) * self._random(1, 1, 1)

    def spread(self, amount: float) -> Plane:
        """Draw a number in [-amount, amount) for every image (B111)."""
        return self.uniform(-amount, amount)

    def angle(self) -> Plane:
        """Draw a direction in radians for every image (B111)."""
        return self.spread(math.pi)

    def chance(self, probability: float) -> Plane:
        """Draw 1 with ``probability``, else 0, for every image (B111)."""
        return (self._random(1, 1, 1) < probability).astype(np.float32)

    def clouds(self, num_cells: int, size_px: int) -> Plane:
        """Draw a smooth field in [0, 1] between ``num_cells`` random heights a side (B1HW)."""
        heights = self._random(1, num_cells, num_cells)
        position = np.linspace(0, num_cells - 1, size_px, dtype=np.float32)[:, None]
        nearness = np.maximum(1 - np.abs(position - np.arange(num_cells, dtype=np.float32)), 0)
        weights = nearness * nearness * (3 - 2 * nearness)  # smoothstep: each row sums to 1
        field: Plane = weights @ heights @ weights.T
        return field

    def grain(self, size_px: int) -> Plane:
        """Draw independent numbers in [-1, 1) for every channel of every pixel (B3HW)."""
        return 2 * self._random(3, size_px, size_px) - 1

    def _random(self, *shape: int) -> Plane:
        return self._generator.random((self._num_images, *shape), dtype=np.float32)


def pixel_centres(size_px: int) -> tuple[Plane, Plane]:
    """Return x and y of the pixels' centres on the canvas (11HW each)."""
    centres = (np.arange(size_px, dtype=np.float32) + 0.5) * (2 / size_px) - 1
    x, y = np.meshgrid(centres, centres)
    return x[None, None], y[None, None]


def length(x: Plane, y: Plane) -> Plane:
    """Return the distance of points to (0, 0), faster than ``np.hypot``, which avoids overflow."""
    return np.sqrt(x * x + y * y)


def turned(x: Plane, y: Plane, angle: Plane) -> tuple[Plane, Plane]:
    """Return the points' coordinates along axes that are turned by ``angle`` (radians)."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return cosine * x + sine * y, cosine * y - sine * x


def opacity_inside(distance: Plane, *, softness: float = 0.0) -> Plane:
    """Return how much of each pixel lies inside, in [0, 1], from signed canvas distances (B1HW).

    The edge is a ramp around distance 0, one pixel wide plus ``softness`` (canvas units).
    """
    pixel = 2 / distance.shape[-1]
    opacity: Plane = np.clip(0.5 - distance / (pixel + softness), 0, 1)
    return opacity


def blend(below: Plane, above: Plane, opacity: Plane) -> Plane:
    """Lay ``above`` over ``below`` as far as ``opacity`` says: 0 leaves below, 1 hides it."""
    return below + opacity * (above - below)


def colour_of(lightness: Plane, chroma: Plane, hue: Plane) -> Plane:
    """Turn OKLCH numbers (B111; hue in radians) into sRGB in [0, 1] (B311), clipped.

    Equal lightness looks equally light in every hue: two random colours of different lightness
    can be told apart. Source of the matrices: Björn Ottosson, "A perceptual color space for image
    processing" (2020).
    """
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    linear: Plane = np.clip(np.concatenate([red, green, blue], axis=1), 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
