"""The challenges of image classification, painted: why a cat is hard to recognise.

Viewpoint, illumination, deformation, occlusion, background clutter and intraclass variation, each
with a strength in [0, 1]. Strength 0 everywhere paints ten clean icons.

Shape letters: B images, H W pixels; B111 a number, B311 a colour, B1HW a plane, B3HW a picture.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .canvas import Dice, Plane, blend, colour_of, opacity_inside, pixel_centres, turned
from .outlines import OUTLINES
from .scenery import Palette, choose_palette, paint_background

RADIUS = 0.7
"""Half the size of a shape on the canvas [-1, 1] before the viewpoint changes it."""


@dataclass(frozen=True)
class Strengths:
    """How strong each challenge is, from 0 (absent) to 1."""

    viewpoint: float
    illumination: float
    deformation: float
    occlusion: float
    clutter: float
    variation: float


def paint(labels_B: NDArray[np.int64], size_px: int, strengths: Strengths, dice: Dice) -> Plane:
    """Paint one picture per label: RGB in [0, 1], B3HW."""
    x, y = pixel_centres(size_px)
    light = dice.angle()
    palette = choose_palette(dice, strengths.variation)
    picture = paint_background(x, y, palette, dice, strengths.clutter)
    inner_x, inner_y, scale = change_viewpoint(x, y, dice, strengths.viewpoint)
    inner_x, inner_y = deform(inner_x, inner_y, dice, strengths.deformation)
    distance = scale * outline_distance(labels_B, inner_x, inner_y, dice, strengths.variation)
    facing = facing_the_light(distance, light)
    fill, opacity = vary_fill(inner_x, inner_y, distance, palette, dice, strengths.variation)
    picture = cast_shadow(picture, distance, facing, strengths.illumination)
    picture = blend(picture, emboss(fill, distance, facing, strengths.illumination), opacity)
    picture = occlude(picture, x, y, dice, strengths.occlusion)
    picture = illuminate(picture, x, y, light, dice, strengths.illumination)
    return np.clip(picture + 0.04 * strengths.clutter * dice.grain(size_px), 0, 1)


def change_viewpoint(x: Plane, y: Plane, dice: Dice, strength: float) -> tuple[Plane, Plane, Plane]:
    """Return the points as the shape sees them, and the length of the shape's unit (B111).

    Changes position, perspective, scale, rotation (to 60 degrees either way) and shear.
    """
    scale = RADIUS * (1 - dice.uniform(-0.1, 0.45) * strength)
    room = strength * np.maximum(1 - scale, 0)
    x, y = x - room * dice.spread(1), y - room * dice.spread(1)
    depth = 1 + dice.spread(0.2 * strength) * x + dice.spread(0.2 * strength) * y
    rotation = dice.spread(strength * math.pi / 3)
    x, y = turned(x / (depth * scale), y / (depth * scale), rotation)
    return x + dice.spread(0.35 * strength) * y, y, scale


def deform(x: Plane, y: Plane, dice: Dice, strength: float) -> tuple[Plane, Plane]:
    """Bend and ripple the plane that the shape lies in."""
    x = x + dice.spread(0.3 * strength) * (y * y - 0.4)
    ripple_x = 0.14 * strength * np.sin(dice.uniform(2, 4.5) * y + dice.angle())
    ripple_y = 0.14 * strength * np.sin(dice.uniform(2, 4.5) * x + dice.angle())
    return x + ripple_x, y + ripple_y


def outline_distance(
    labels_B: NDArray[np.int64], x: Plane, y: Plane, dice: Dice, strength: float
) -> Plane:
    """Return the points' signed distance to each image's shape, whose proportions vary."""
    stretch, slack = 1 + dice.spread(0.15 * strength), dice.spread(strength)
    x, y = x * stretch, y / stretch
    distance = np.empty_like(x)
    for label, outline in enumerate(OUTLINES.values()):
        chosen = np.flatnonzero(labels_B == label)
        distance[chosen] = outline(x[chosen], y[chosen], slack[chosen])
    return distance


def vary_fill(
    x: Plane, y: Plane, distance: Plane, palette: Palette, dice: Dice, strength: float
) -> tuple[Plane, Plane]:
    """Return the shape's colours (B3HW) and opacity (B1HW): plain, rimmed, patterned or hollow."""
    style, is_rimmed = dice.uniform(0, 1), dice.chance(0.4 * strength)
    is_hollow, is_patterned = style < 0.3 * strength, style > 1 - 0.35 * strength
    stroke, frequency = dice.uniform(0.1, 0.18), dice.uniform(5, 10)
    along, across = turned(x, y, dice.angle())
    stripes, crossing = np.sin(frequency * along), np.sin(frequency * across)
    waves = np.where(dice.chance(0.4) > 0, stripes * crossing, stripes)
    pattern = np.clip(0.5 + 2 * waves, 0, 1) * is_patterned
    rim = opacity_inside(-distance - 0.8 * stroke) * is_rimmed * ~is_hollow
    hole = opacity_inside(distance + stroke) * is_hollow
    fill = blend(palette.ink, palette.accent, np.maximum(pattern, rim))
    return fill, opacity_inside(distance) - hole


def facing_the_light(distance: Plane, light: Plane) -> Plane:
    """Return how much the outline's normal at each point turns to the light, in [-1, 1]."""
    pixels_per_unit = distance.shape[-1] / 2
    slope_y, slope_x = np.gradient(distance, axis=(2, 3))
    facing = pixels_per_unit * (slope_x * np.cos(light) + slope_y * np.sin(light))
    clipped: Plane = np.clip(facing, -1, 1)
    return clipped


def cast_shadow(picture: Plane, distance: Plane, facing: Plane, strength: float) -> Plane:
    """Darken the background on the side of the shape that is turned away from the light.

    To first order, the distance to an outline that moved is the old distance minus the part of
    the move along the normal; the shadow moves away from the light.
    """
    shadow = opacity_inside(distance + 0.14 * facing, softness=0.2)
    return picture * (1 - 0.5 * strength * shadow)


def emboss(fill: Plane, distance: Plane, facing: Plane, strength: float) -> Plane:
    """Lighten the edges that face the light and darken the others, as on a cushion."""
    nearness = np.maximum(1 - np.abs(distance) / 0.3, 0)
    return fill * (1 + 0.4 * strength * nearness * facing)


def occlude(picture: Plane, x: Plane, y: Plane, dice: Dice, strength: float) -> Plane:
    """Lay up to two bars and a patch over the picture, near its middle."""
    endless = 3.0
    for length, width in ((endless, 0.1), (endless, 0.1), (0.22, 0.22)):
        along, across = turned(x - dice.spread(0.6), y - dice.spread(0.6), dice.angle())
        zoom = dice.uniform(0.6, 1.4)
        distance = np.maximum(np.abs(across) - zoom * width, np.abs(along) - zoom * length)
        colour = colour_of(dice.uniform(0.25, 0.85), dice.uniform(0, 0.12), dice.angle())
        is_there = dice.chance(0.5 * strength)
        picture = blend(picture, colour, opacity_inside(distance) * is_there)
    return picture


def illuminate(
    picture: Plane, x: Plane, y: Plane, light: Plane, dice: Dice, strength: float
) -> Plane:
    """Change contrast, brightness and colour cast, and let the light fade across the picture."""
    toward_the_light, _ = turned(x, y, light)
    brightness = np.exp(dice.spread(0.4 * strength) + 0.3 * strength * toward_the_light)
    cast = np.concatenate([1 + dice.spread(0.15 * strength) for _ in range(3)], axis=1)
    contrast = 1 + strength * dice.uniform(-0.35, 0.15)
    lit: Plane = (0.5 + contrast * (picture - 0.5)) * brightness * cast
    return lit
