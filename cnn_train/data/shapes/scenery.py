"""The colours of a shapes picture, and the background with its clutter.

Shape letters: B images, H W pixels; B311 a colour, B1HW a plane, B3HW a picture.
"""

import math
from dataclasses import dataclass

import numpy as np

from .canvas import Dice, Plane, blend, colour_of, length, opacity_inside, turned


@dataclass(frozen=True)
class Palette:
    """The colours of a picture (B311): ink and accent of the shape, paper and tone behind it."""

    ink: Plane
    accent: Plane
    paper: Plane
    tone: Plane


def choose_palette(dice: Dice, strength: float) -> Palette:
    """Choose colours that tell nothing about the class.

    Ink and paper differ in OKLCH lightness by 0.3 or more, whichever of them is lighter.
    """
    middle = 0.58 + dice.spread(0.12 * strength)
    half_contrast = 0.21 + dice.spread(0.06 * strength)
    polarity = 1 - 2 * dice.chance(min(strength, 0.5))
    ink, paper = middle + polarity * half_contrast, middle - polarity * half_contrast
    tone = paper - polarity * dice.uniform(-0.07, 0.2)
    ink_hue = 1.2 + dice.spread(math.pi * strength)
    paper_hue = ink_hue + math.pi + dice.spread(2.5 * strength)
    ink_chroma = 0.14 + dice.spread(0.06 * strength)
    paper_chroma = 0.07 + dice.spread(0.06 * strength)
    return Palette(
        ink=colour_of(ink, ink_chroma, ink_hue),
        accent=colour_of(ink - 0.15 * polarity, ink_chroma, ink_hue + dice.spread(1.2)),
        paper=colour_of(paper, paper_chroma, paper_hue),
        tone=colour_of(tone, paper_chroma, paper_hue + dice.spread(1.5)),
    )


def paint_background(x: Plane, y: Plane, palette: Palette, dice: Dice, strength: float) -> Plane:
    """Paint the clutter behind the shape: clouds or stripes of a second tone, pebbles, sticks."""
    size_px = x.shape[-1]
    clouds = 0.6 * dice.clouds(4, size_px) + 0.4 * dice.clouds(9, size_px)
    along, _ = turned(x, y, dice.angle())
    stripes = 0.5 + 0.5 * np.sin(dice.uniform(5, 14) * along + 4 * clouds)
    texture = blend(np.clip(3 * clouds - 1, 0, 1), stripes, dice.chance(0.4))
    picture = blend(palette.paper, palette.tone, strength * texture)
    for clutter_distance in [pebble_distance] * 3 + [stick_distance] * 3:
        colour = blend(palette.tone, palette.ink, dice.uniform(0.1, 1))
        opacity = opacity_inside(clutter_distance(x, y, dice))
        picture = blend(picture, colour, opacity * dice.chance(strength))
    return picture


def pebble_distance(x: Plane, y: Plane, dice: Dice) -> Plane:
    """Return the signed distance (roughly) to a small ellipse somewhere on the canvas."""
    along, across = turned(x - dice.spread(1), y - dice.spread(1), dice.angle())
    a, b = dice.uniform(0.08, 0.22), dice.uniform(0.08, 0.22)
    return (length(along / a, across / b) - 1) * np.minimum(a, b)


def stick_distance(x: Plane, y: Plane, dice: Dice) -> Plane:
    """Return the signed distance to a thin stick with round ends somewhere on the canvas."""
    along, across = turned(x - dice.spread(1), y - dice.spread(1), dice.angle())
    half_length, half_width = dice.uniform(0.3, 0.8), dice.uniform(0.02, 0.05)
    return length(np.maximum(np.abs(along) - half_length, 0), across) - half_width
