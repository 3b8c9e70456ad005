"""Illumination: the same scene in another light.

In the formulas p is a level in [0, 255]; what leaves that range is clipped.

Shape letters: B images, C channels, H W pixels.
"""

import math

import torch
from torch import Tensor

from ..resampling import LEVELS, to_bytes
from .challenge import draw_angles, draw_signs


def change_brightness(images_BCHW: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Lighten, or as often darken, by a share of the whole range: p ± 255 · ``strength``."""
    return to_bytes(images_BCHW + LEVELS * strength * draw_signs(images_BCHW, generator))


def reduce_contrast(images_BCHW: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Move every level towards its image's mean m: m + (1 − ``strength``) · (p − m)."""
    levels_BCHW = images_BCHW.float()
    mean_B111 = levels_BCHW.mean(dim=(1, 2, 3), keepdim=True)
    return to_bytes(mean_B111 + (1 - strength) * (levels_BCHW - mean_B111))


def change_gamma(images_BCHW: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Change the gamma, 255 · (p / 255)^g, with g = ``strength`` or as often its inverse."""
    gamma_B111 = strength ** draw_signs(images_BCHW, generator)
    return to_bytes(LEVELS * (images_BCHW / LEVELS) ** gamma_B111)


def cast_colour(images_BCHW: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Light the scene with a random hue a: p · (1 + ``strength`` · cos(a + 2πc / C)), channel c."""
    channels = images_BCHW.shape[1]
    turns_C11 = 2 * math.pi * torch.arange(channels)[:, None, None] / channels
    gains_BC11 = 1 + strength * (draw_angles(images_BCHW, generator) + turns_C11).cos()
    return to_bytes(images_BCHW * gains_BC11)
