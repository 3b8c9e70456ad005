"""Fill rectangles of images with one colour: cutout and random erasing.

Shape letters: N training images, B minibatch, C channels, H W pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...machine.device import copy_to
from ...random_streams import make_generator
from .rectangles import draw_rectangles, rectangles


@dataclass(frozen=True)
class Erasing:
    """Fill a rectangle of some images (Zhong et al., "Random Erasing", 2017, arXiv:1708.04896).

    ``scale``: its share of the area, drawn evenly; ``ratio``: height over width, evenly in the
    logarithm. It lies inside the image; where none of ten draws fits, nothing is filled.
    """

    probability: float
    scale: tuple[float, float]
    ratio: tuple[float, float]

    def draw(self, shape_NCHW: Sequence[int], seed: int, epoch: int) -> Tensor:
        """Draw top, left, height and width of each rectangle, 4N; without one they are 0."""
        num, _, height, width = shape_NCHW
        generator = make_generator(seed, "erasing", epoch)
        is_erased_N = torch.rand(num, generator=generator) < self.probability
        drawn_4N = draw_rectangles(
            num, (height, width), self.scale, self.ratio, generator, margin=1
        )
        return drawn_4N * is_erased_N

    def __call__(self, images_BCHW: Tensor, drawn_4B: Tensor, fill: Sequence[int]) -> Tensor:
        """Fill the rectangles."""
        top_B, left_B, heights_B, widths_B = copy_to(drawn_4B, images_BCHW.device)
        return cut_out(images_BCHW, top_B, left_B, heights_B, widths_B, fill)


def cut_out(
    images_BCHW: Tensor,
    top_B: Tensor,
    left_B: Tensor,
    heights_B: Tensor | int,
    widths_B: Tensor | int,
    fill: Sequence[int],
) -> Tensor:
    """Fill a rectangle of each image, from row ``top`` and column ``left`` on, with one colour.

    Parts of it may lie outside the image: less is lost near a border then, and DeVries and Taylor
    (2017) found that this matters.
    """
    inside_B1HW = rectangles(images_BCHW, top_B, left_B, heights_B, widths_B)
    fill_C = copy_to(torch.tensor(fill, dtype=images_BCHW.dtype), images_BCHW.device)
    return torch.where(inside_B1HW, fill_C[:, None, None], images_BCHW)
