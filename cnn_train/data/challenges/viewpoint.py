"""Viewpoint: "all pixels change when the camera moves".

Each function computes the place in the old image from which each new pixel is taken. Between
pixels the image is interpolated (bilinear); beyond a border it is reflected.

Shape letters: B images, C channels, H W pixels.
"""

import torch
from torch import Tensor

from ..resampling import look_at, pixel_places
from .challenge import draw_angles, draw_signs


def shift(images_BCHW: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Move by ``strength`` · side in a random direction a: (x, y) ← (x − d cos a, y − d sin a).

    The move is rounded to whole pixels: nothing is interpolated.
    """
    x, y = pixel_places(images_BCHW)
    angle = draw_angles(images_BCHW, generator)
    distance_px = strength * shorter_side_px(images_BCHW)
    move_x, move_y = (distance_px * angle.cos()).round(), (distance_px * angle.sin()).round()
    return look_at(images_BCHW, x - move_x, y - move_y)


def rotate(images_BCHW: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Turn by a = ±``strength`` degrees: (x, y) ← (x cos a + y sin a, y cos a − x sin a)."""
    x, y = pixel_places(images_BCHW)
    angle = torch.deg2rad(strength * draw_signs(images_BCHW, generator))
    cosine, sine = angle.cos(), angle.sin()
    return look_at(images_BCHW, x * cosine + y * sine, y * cosine - x * sine)


def zoom(images_BCHW: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Enlarge by s = ``strength``, or shrink by it as often: (x, y) ← (x / s, y / s)."""
    x, y = pixel_places(images_BCHW)
    scale = strength ** draw_signs(images_BCHW, generator)
    return look_at(images_BCHW, x / scale, y / scale)


def tilt(images_BCHW: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Tilt the picture plane towards a random direction a: (x, y) ← (x, y) / (1 + depth).

    depth = ``strength`` · (x cos a + y sin a) with x and y in half sides: one border comes nearer,
    the opposite one moves away.
    """
    x, y = pixel_places(images_BCHW)
    angle = draw_angles(images_BCHW, generator)
    half_px = shorter_side_px(images_BCHW) / 2
    depth = 1 + strength * (x * angle.cos() + y * angle.sin()) / half_px
    depth = depth.clamp(min=0.2)  # a long image's far ends would pass behind the camera
    return look_at(images_BCHW, x / depth, y / depth)


def shorter_side_px(images_BCHW: Tensor) -> int:
    """Return the shorter side, in which strengths are measured."""
    return min(images_BCHW.shape[2:])
