"""What a change of pixels is: drawn for all images of an epoch, made for a minibatch at once.

Shape letters: N training images, B minibatch, C channels, H W pixels, k numbers for each image.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from ...machine.device import copy_to


class Change(Protocol):
    """A change of uint8 images; each image's is a function of (seed, epoch, its place)."""

    def draw(self, shape_NCHW: Sequence[int], seed: int, epoch: int) -> Tensor:
        """Draw an epoch's changes, kN on the CPU, from random streams of their own."""

    def __call__(self, images_BCHW: Tensor, drawn_kB: Tensor, fill: Sequence[int], /) -> Tensor:
        """Return changed images on the same device; ``fill`` is a colour, a level per channel."""


def per_image(numbers_kB: Tensor, images_BCHW: Tensor) -> Tensor:
    """Bring numbers for each image to where the images lie, kB111 in float32."""
    return copy_to(numbers_kB.float(), images_BCHW.device)[..., None, None, None]


def draw_evenly(num: int, bounds: tuple[float, float], generator: torch.Generator) -> Tensor:
    """Draw ``num`` numbers between the bounds, in float64."""
    low, high = bounds
    return low + (high - low) * torch.rand(num, generator=generator, dtype=torch.float64)
