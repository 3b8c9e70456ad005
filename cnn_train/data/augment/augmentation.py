"""Random changes of training images, drawn for each image on its own.

Random numbers come from the CPU, so that every device sees the same changes: all of an epoch at
once, each image's by its place in the training set, whatever the order and the minibatches. Pixels
are worked on where they lie, a whole minibatch at once and without waiting for the device.
Shape letters: N training images, B minibatch, C channels, H W pixels, k numbers for each image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ...random_streams import derive_seed, make_generator
from .change import Change
from .covering import cut_out
from .mixing import Mixing
from .shifting import coins, flip_and_translate

Flip = Literal["none", "random", "alternating"]

LIGHT_STEPS = 2**15
"""Brightness and contrast are drawn as whole numbers, as shifts are: from - to + so many."""


@dataclass(frozen=True)
class Augmentation:
    """Mirror, shift and cut out each image at random; change its brightness and contrast.

    ``changes`` come after the shift, in this order; ``mixing`` is for normalised images.
    """

    flip: Flip
    translate: int
    cutout: int
    brightness: float
    contrast: float
    changes: tuple[Change, ...] = ()
    mixing: Mixing | None = None

    def draw(self, shape_NCHW: Sequence[int], seed: int, epoch: int) -> Tensor:
        """Draw an epoch's changes of each image: seven int64 rows of N, on the CPU.

        They are mirrored (0 or 1), shifts dy and dx, the cutout's centre y and x, contrast and
        brightness (-LIGHT_STEPS to LIGHT_STEPS). Each is drawn whether used or not: switching one
        change off does not alter the others.
        """
        num_images, _, height, width = shape_NCHW
        generator = make_generator(seed, "augment", epoch)
        shift, light = (-self.translate, self.translate + 1), (-LIGHT_STEPS, LIGHT_STEPS + 1)
        ranges = ((0, 2), shift, shift, (0, height), (0, width), light, light)
        changes_7N = torch.stack(
            [torch.randint(low, high, (num_images,), generator=generator) for low, high in ranges]
        )
        if self.flip == "alternating":
            sides_N = coins(torch.arange(num_images), derive_seed(seed, "alternating flip"))
            changes_7N[0] = (sides_N + epoch) % 2
        elif self.flip == "none":
            changes_7N[0] = 0
        return changes_7N

    def draw_changes(self, shape_NCHW: Sequence[int], seed: int, epoch: int) -> list[Tensor]:
        """Draw an epoch's ``changes``: kN each, on the CPU, which decides what a device does."""
        return [change.draw(shape_NCHW, seed, epoch) for change in self.changes]

    def __call__(
        self,
        images_BCHW: Tensor,
        changes_7B: Tensor,
        fill: Sequence[int],
        drawn: Sequence[Tensor] = (),
    ) -> Tensor:
        """Make the changes that were drawn, but for the light; shape, dtype, device stay.

        ``fill`` is a colour, one level per channel. ``drawn``: kB for each of ``changes``.
        """
        mirrored_B, dy_B, dx_B, y_B, x_B = changes_7B[:5]
        if self.flip != "none" or self.translate:
            images_BCHW = flip_and_translate(images_BCHW, mirrored_B.bool(), dy_B, dx_B)
        for change, drawn_kB in zip(self.changes, drawn, strict=True):
            images_BCHW = change(images_BCHW, drawn_kB, fill)
        if self.cutout:
            side_px, half_px = self.cutout, self.cutout // 2
            images_BCHW = cut_out(images_BCHW, y_B - half_px, x_B - half_px, side_px, side_px, fill)
        return images_BCHW

    def light(self, changes_7B: Tensor) -> tuple[Tensor, Tensor] | None:
        """Return the factor and the summand of each image's normalised levels; None: 1 and 0.

        The normalisation applies them, in the passes over the pixels that it makes anyway.
        """
        if not (self.contrast or self.brightness):
            return None
        contrast_B, brightness_B = changes_7B[5:] / LIGHT_STEPS
        return 1 + self.contrast * contrast_B, self.brightness * brightness_B
