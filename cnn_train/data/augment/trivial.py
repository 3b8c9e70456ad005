"""TrivialAugment: one operation for each image, of a strength that is drawn too; nothing to tune.

Müller and Hutter, "TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation", 2021,
arXiv:2103.10158: the wide space, with the strengths of torchvision's TrivialAugmentWide. Two things
differ: borders reflect, where images turn black there, and places between pixels are interpolated.
Shape letters: N training images, B minibatch, C channels, H W pixels, P = H·W, K operations.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ...machine.device import copy_to
from ...random_streams import make_generator
from ..resampling import LEVELS, look_at, pixel_places, to_bytes
from .change import per_image
from .colouring import blend, grey

STRONGEST = 30
"""Strengths are whole numbers from 0 to this."""

Operate = Callable[[Tensor, Tensor], Tensor]
"""(uint8 images BCHW, strengths B111) → changed images."""


def shear_x(images_BCHW: Tensor, strength: Tensor) -> Tensor:
    """Move each row sideways, the farther the lower it lies; the top stays."""
    x, y = pixel_places(images_BCHW)
    return look_at(images_BCHW, x + strength * (y + images_BCHW.shape[2] / 2), y)


def shear_y(images_BCHW: Tensor, strength: Tensor) -> Tensor:
    """Move each column up or down, the farther the more to the right it lies."""
    x, y = pixel_places(images_BCHW)
    return look_at(images_BCHW, x, y + strength * (x + images_BCHW.shape[3] / 2))


def translate_x(images_BCHW: Tensor, strength: Tensor) -> Tensor:
    """Move sideways by whole pixels."""
    x, y = pixel_places(images_BCHW)
    return look_at(images_BCHW, x - strength.trunc(), y)


def translate_y(images_BCHW: Tensor, strength: Tensor) -> Tensor:
    """Move down by whole pixels."""
    x, y = pixel_places(images_BCHW)
    return look_at(images_BCHW, x, y - strength.trunc())


def rotate(images_BCHW: Tensor, strength: Tensor) -> Tensor:
    """Turn counter-clockwise by so many degrees."""
    x, y = pixel_places(images_BCHW)
    cosine, sine = strength.deg2rad().cos(), strength.deg2rad().sin()
    return look_at(images_BCHW, x * cosine - y * sine, x * sine + y * cosine)


def brighten(images_BCHW: Tensor, strength: Tensor) -> Tensor:
    """Multiply all levels by 1 + strength."""
    return to_bytes(blend(torch.zeros_like(strength), images_BCHW.float(), 1 + strength))


def saturate(images_BCHW: Tensor, strength: Tensor) -> Tensor:
    """Multiply each pixel's distance from its grey by 1 + strength."""
    levels_BCHW = images_BCHW.float()
    return to_bytes(blend(grey(levels_BCHW), levels_BCHW, 1 + strength))


def stretch_contrast(images_BCHW: Tensor, strength: Tensor) -> Tensor:
    """Multiply each level's distance from the image's mean grey by 1 + strength."""
    levels_BCHW = images_BCHW.float()
    mean_B111 = grey(levels_BCHW).mean((1, 2, 3), keepdim=True)
    return to_bytes(blend(mean_B111, levels_BCHW, 1 + strength))


def sharpen(images_BCHW: Tensor, strength: Tensor) -> Tensor:
    """Multiply each pixel's distance from its smoothed neighbourhood by 1 + strength.

    The neighbourhood is 3×3, its middle counts five times; pixels at the border stay.
    """
    levels_BCHW = images_BCHW.float()
    smooth_BCHW, inner = levels_BCHW.clone(), (..., slice(1, -1), slice(1, -1))
    smooth_BCHW[inner] = (9 * F.avg_pool2d(levels_BCHW, 3, 1) + 4 * levels_BCHW[inner]) / 13
    return to_bytes(blend(smooth_BCHW.round(), levels_BCHW, 1 + strength))


def posterize(images_BCHW: Tensor, strength: Tensor) -> Tensor:
    """Clear so many of each level's lowest bits."""
    return images_BCHW & (2**8 - 2 ** strength.round()).to(torch.uint8)


def solarize(images_BCHW: Tensor, strength: Tensor) -> Tensor:
    """Invert the levels from ``LEVELS`` − strength up."""
    return torch.where(images_BCHW >= LEVELS - strength, LEVELS - images_BCHW, images_BCHW)


def stretch_levels(images_BCHW: Tensor, strength: Tensor) -> Tensor:
    """Spread each channel's levels evenly over all of them (autocontrast)."""
    least, most = images_BCHW.amin((2, 3), True).float(), images_BCHW.amax((2, 3), True).float()
    stretched_BCHW = to_bytes((images_BCHW - least) * (LEVELS / (most - least).clamp(min=1)))
    return torch.where(most > least, stretched_BCHW, images_BCHW)


def equalize(images_BCHW: Tensor, strength: Tensor) -> Tensor:
    """Give each channel's levels about equally many pixels: look up the number of darker ones."""
    levels_BCP = images_BCHW.flatten(2).long()
    num_images, channels, num_pixels = levels_BCP.shape
    rows_M1 = torch.arange(num_images * channels, device=images_BCHW.device)[:, None]
    places = (256 * rows_M1 + levels_BCP.reshape(-1, num_pixels)).flatten()
    counts = places.new_zeros(256 * len(rows_M1))
    counts.scatter_add_(0, places, torch.ones_like(places))  # in one dimension: repeatable
    counts_BC256 = counts.view(num_images, channels, 256)
    num_lightest = counts_BC256.gather(2, levels_BCP.amax(2, keepdim=True))
    step_BC1 = (num_pixels - num_lightest) // LEVELS
    darker_BC256 = counts_BC256.cumsum(2) - counts_BC256
    equal_BC256 = ((darker_BC256 + step_BC1 // 2) // step_BC1.clamp(min=1)).clamp(max=LEVELS)
    equal_BCP = torch.where(step_BC1 > 0, equal_BC256.gather(2, levels_BCP), levels_BCP)
    return equal_BCP.to(torch.uint8).view(images_BCHW.shape)


class Operation(NamedTuple):
    """A kind of change, its largest strength, and whether the strength has a sign."""

    operate: Operate
    most: float = 0.0
    is_signed: bool = False


OPERATIONS = (
    Operation(lambda images_BCHW, strength: images_BCHW),
    Operation(shear_x, 0.99, True),
    Operation(shear_y, 0.99, True),
    Operation(translate_x, 32, True),
    Operation(translate_y, 32, True),
    Operation(rotate, 135, True),
    Operation(brighten, 0.99, True),
    Operation(saturate, 0.99, True),
    Operation(stretch_contrast, 0.99, True),
    Operation(sharpen, 0.99, True),
    Operation(posterize, 6),
    Operation(solarize, LEVELS),
    Operation(stretch_levels),
    Operation(equalize),
)


@dataclass(frozen=True)
class TrivialAugment:
    """Do one of ``OPERATIONS`` to each image."""

    def draw(self, shape_NCHW: Sequence[int], seed: int, epoch: int) -> Tensor:
        """Draw each image's operation and its strength with its sign, 2N."""
        num, generator = shape_NCHW[0], make_generator(seed, "trivial augment", epoch)
        kind_N, level_N, is_negative_N = (
            torch.randint(bound, (num,), generator=generator)
            for bound in (len(OPERATIONS), STRONGEST + 1, 2)
        )
        most_K = torch.tensor([operation.most for operation in OPERATIONS], dtype=torch.float64)
        is_signed_K = torch.tensor([operation.is_signed for operation in OPERATIONS])
        sign_N = 1 - 2 * (is_negative_N * is_signed_K[kind_N])
        return torch.stack((kind_N, sign_N * most_K[kind_N] * level_N / STRONGEST))

    def __call__(self, images_BCHW: Tensor, drawn_2B: Tensor, fill: Sequence[int]) -> Tensor:
        """Sort the images by operation, on the CPU, so that each works on its own images only."""
        kind_B, strength_B = drawn_2B[0].long(), drawn_2B[1]
        order_B = kind_B.argsort(stable=True)
        counts = kind_B.bincount(minlength=len(OPERATIONS)).tolist()
        device = images_BCHW.device
        images = torch.split(images_BCHW[copy_to(order_B, device)], counts)
        strengths = torch.split(per_image(strength_B[order_B], images_BCHW), counts)
        changed = [
            operation.operate(some_BCHW, some_B111)
            for operation, some_BCHW, some_B111 in zip(OPERATIONS, images, strengths, strict=True)
            if len(some_BCHW)
        ]
        return torch.cat(changed)[copy_to(order_B.argsort(), device)]
