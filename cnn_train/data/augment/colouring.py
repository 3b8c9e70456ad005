"""Change the levels of images: saturation, hue, and the colour operations of TrivialAugment.

Shape letters: N training images, B minibatch, C channels, H W pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...machine.device import copy_to
from ...random_streams import make_generator
from ..resampling import LEVELS, to_bytes
from .change import draw_evenly, per_image


@dataclass(frozen=True)
class Tint:
    """Change saturation and hue, as torchvision's ColorJitter does."""

    saturation: float
    hue: float

    def draw(self, shape_NCHW: Sequence[int], seed: int, epoch: int) -> Tensor:
        """Draw the factor of the saturation and the turn of the hue, 2N."""
        bounds = (("saturation", self.saturation), ("hue", self.hue))
        return torch.stack(
            [
                draw_evenly(shape_NCHW[0], (-most, most), make_generator(seed, name, epoch))
                for name, most in bounds
            ]
        )

    def __call__(self, images_BCHW: Tensor, drawn_2B: Tensor, fill: Sequence[int]) -> Tensor:
        """Change the saturation, then the hue; round once."""
        factor, turn = per_image(drawn_2B, images_BCHW)
        levels_BCHW = images_BCHW.float()
        if self.saturation:
            levels_BCHW = blend(grey(levels_BCHW), levels_BCHW, 1 + factor)
        if self.hue:
            levels_BCHW = turn_hue(levels_BCHW, turn)
        return to_bytes(levels_BCHW)


def blend(from_BCHW: Tensor, to_BCHW: Tensor, factor_B111: Tensor) -> Tensor:
    """Go ``factor`` of the way between two images, or beyond, as far as the levels reach."""
    return (from_BCHW + factor_B111 * (to_BCHW - from_BCHW)).clamp(0, LEVELS)


def grey(levels_BCHW: Tensor) -> Tensor:
    """Return how light each pixel is, B1HW; of images without colours, the images."""
    if levels_BCHW.shape[1] == 1:
        return levels_BCHW
    red, green, blue = (levels_BCHW[:, i : i + 1] for i in range(3))
    return 0.2989 * red + 0.587 * green + 0.114 * blue  # ITU-R BT.601, with torchvision's digits


def turn_hue(levels_BCHW: Tensor, turn_B111: Tensor) -> Tensor:
    """Turn the hue of RGB images by a part of the whole circle; value and chroma stay (HSV)."""
    red, green, blue = (levels_BCHW[:, i : i + 1] for i in range(3))
    most, least = levels_BCHW.amax(1, keepdim=True), levels_BCHW.amin(1, keepdim=True)
    chroma = most - least
    sixths = torch.where(
        most == red,
        green - blue,
        torch.where(most == green, blue - red + 2 * chroma, red - green + 4 * chroma),
    ) / chroma.clamp(min=torch.finfo(torch.float32).tiny)
    channel_3 = copy_to(torch.tensor([5.0, 3.0, 1.0]), levels_BCHW.device)
    place_B3HW = (channel_3[:, None, None] + sixths + 6 * turn_B111) % 6
    return most - chroma * torch.minimum(place_B3HW, 4 - place_B3HW).clamp(0, 1)
