"""Deformation: soft or jointed objects change their outline.

Shape letters: B images, C channels, H W pixels.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from ..resampling import look_at, pixel_places
from .challenge import draw_signs
from .viewpoint import shorter_side_px


def ripple(images_BCHW: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Bend it like a picture on rubber: (x, y) ← (x, y) + ``strength`` · side · (u, v).

    u and v are standard normal at 5 × 5 knots, and smooth (bicubic) in between. After Simard et
    al., "Best Practices for Convolutional Neural Networks Applied to Visual Document Analysis",
    2003.
    """
    x, y = pixel_places(images_BCHW)
    knots_B255 = torch.randn(len(images_BCHW), 2, 5, 5, generator=generator)
    size_px = images_BCHW.shape[2:]
    field_B2HW = F.interpolate(knots_B255, size=size_px, mode="bicubic", align_corners=True)
    moves_B2HW = strength * shorter_side_px(images_BCHW) * field_B2HW
    return look_at(images_BCHW, x + moves_B2HW[:, :1], y + moves_B2HW[:, 1:])


def shear(images_BCHW: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Slant by k = ±``strength``: (x, y) ← (x + k y, y), or as often (x, y) ← (x, y + k x)."""
    x, y = pixel_places(images_BCHW)
    slant = strength * draw_signs(images_BCHW, generator)
    sideways = (draw_signs(images_BCHW, generator) + 1) / 2
    return look_at(images_BCHW, x + sideways * slant * y, y + (1 - sideways) * slant * x)
