"""Occlusion and clutter: something lies over the object, or around it.

In the formulas p is a level in [0, 255]; what leaves that range is clipped.

Shape letters: B images, C channels, H W pixels.
"""

import math

import torch
from torch import Tensor

from ..augment.covering import cut_out
from ..resampling import LEVELS, pixel_places, to_bytes
from .challenge import draw_angles
from .viewpoint import shorter_side_px


def cover(images_BCHW: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Hide a square of side ``strength`` · side behind mid-grey, anywhere inside the image.

    The place is drawn relative to the free space, so that every strength uses the same draw.
    """
    num_images, channels, height, width = images_BCHW.shape
    side_px = round(strength * shorter_side_px(images_BCHW))
    down_B, right_B = torch.rand(2, num_images, generator=generator)
    top_B = (down_B * (height - side_px + 1)).long()
    left_B = (right_B * (width - side_px + 1)).long()
    return cut_out(images_BCHW, top_B, left_B, side_px, side_px, [128] * channels)


def add_noise(images_BCHW: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Add normal noise to every number: p + 255 · ``strength`` · n."""
    noise_BCHW = torch.randn(images_BCHW.shape, generator=generator)
    return to_bytes(images_BCHW + LEVELS * strength * noise_BCHW)


def add_texture(images_BCHW: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Add a pattern of two waves: p + 255 · ``strength`` · (sin u + sin v) / 2.

    Each wave has a random direction and phase, and 2 to 8 periods along the shorter side.
    """
    waves = _draw_wave(images_BCHW, generator) + _draw_wave(images_BCHW, generator)
    return to_bytes(images_BCHW + LEVELS * strength * waves / 2)


def frame(images_BCHW: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Replace a border of ``strength`` · side by that of another image, chosen at random."""
    num_images, _, height, width = images_BCHW.shape
    border_px = round(strength * shorter_side_px(images_BCHW))
    circle_B = torch.randperm(num_images, generator=generator)
    strangers_BCHW = torch.empty_like(images_BCHW)
    strangers_BCHW[circle_B] = images_BCHW[circle_B.roll(1)]  # never from itself
    rows, columns = (slice(border_px, side - border_px) for side in (height, width))
    strangers_BCHW[:, :, rows, columns] = images_BCHW[:, :, rows, columns]
    return strangers_BCHW


def _draw_wave(images_BCHW: Tensor, generator: torch.Generator) -> Tensor:
    x, y = pixel_places(images_BCHW)
    angle, phase = (draw_angles(images_BCHW, generator) for _ in range(2))
    periods = 2 + 6 * torch.rand(len(images_BCHW), 1, 1, 1, generator=generator)
    per_px = 2 * math.pi * periods / shorter_side_px(images_BCHW)
    return (per_px * (x * angle.cos() + y * angle.sin()) + phase).sin()
