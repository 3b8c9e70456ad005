"""What a challenge is: a change that leaves an image's class as it is, in five severities.

Shape letters: B images, C channels, H W pixels.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

MAX_SEVERITY = 5

Change = Callable[[Tensor, float, torch.Generator], Tensor]
"""(uint8 images BCHW, strength, generator) → changed images; each draws its own numbers."""


@dataclass(frozen=True)
class Challenge:
    """A change of images. group: its kind in the lecture. strengths: of severities 1 to 5."""

    group: str
    change: Change
    strengths: tuple[float, ...]

    def apply(self, images_BCHW: Tensor, severity: int, generator: torch.Generator) -> Tensor:
        """Return the images at a ``severity`` from 0 (the very same tensor) to 5."""
        assert 0 <= severity <= MAX_SEVERITY == len(self.strengths)
        if severity == 0:
            return images_BCHW
        return self.change(images_BCHW, self.strengths[severity - 1], generator)


def draw_signs(images_BCHW: Tensor, generator: torch.Generator) -> Tensor:
    """Draw −1 or 1 for each image, B111."""
    return 2.0 * torch.randint(2, (len(images_BCHW), 1, 1, 1), generator=generator) - 1


def draw_angles(images_BCHW: Tensor, generator: torch.Generator) -> Tensor:
    """Draw an angle in [0, 2π) for each image, B111."""
    return 2 * math.pi * torch.rand(len(images_BCHW), 1, 1, 1, generator=generator)
