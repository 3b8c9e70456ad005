"""Turn images by any angle and cut out a part: both in one pass over the pixels.

Shape letters: N training images, B minibatch, C channels, H W pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...random_streams import make_generator
from ..resampling import look_at, pixel_places
from .change import draw_evenly, per_image
from .rectangles import draw_rectangles

WHOLE = (1.0, 1.0)


@dataclass(frozen=True)
class TurnAndCrop:
    """Turn each image by up to ``degrees`` to either side, then enlarge a part of it to full size.

    ``scale``: the part's share of the area; ``ratio``: its width over its height (Szegedy et al.,
    "Going Deeper with Convolutions", 2014, arXiv:1409.4842).
    """

    degrees: float
    scale: tuple[float, float]
    ratio: tuple[float, float]

    def draw(self, shape_NCHW: Sequence[int], seed: int, epoch: int) -> Tensor:
        """Draw cosine and sine of the angles, and the part's left, top, width and height, 6N."""
        num, _, height, width = shape_NCHW
        angle_N = torch.zeros(num, dtype=torch.float64)
        if self.degrees:
            generator = make_generator(seed, "rotation", epoch)
            angle_N = draw_evenly(num, (-self.degrees, self.degrees), generator).deg2rad()
        part_4N = torch.tensor([0, 0, width, height]).expand(num, 4).T
        if self.scale != WHOLE:
            generator = make_generator(seed, "crop", epoch)
            part_4N = draw_rectangles(num, (width, height), self.scale, self.ratio, generator)
            middle_4 = middle(width, height, self.ratio)
            part_4N = torch.where(part_4N[2] > 0, part_4N, middle_4[:, None])
        return torch.cat((torch.stack((angle_N.cos(), angle_N.sin())), part_4N))

    def __call__(self, images_BCHW: Tensor, drawn_6B: Tensor, fill: Sequence[int]) -> Tensor:
        """Take the part of the turned image, so that its corners are filled where there is more."""
        height, width = images_BCHW.shape[2:]
        cosine, sine, left, top, part_width, part_height = per_image(drawn_6B, images_BCHW)
        x, y = pixel_places(images_BCHW)
        x = x * (part_width / width) + (left + (part_width - width) / 2)
        y = y * (part_height / height) + (top + (part_height - height) / 2)
        return look_at(images_BCHW, x * cosine - y * sine, x * sine + y * cosine)


def middle(width: int, height: int, ratio: tuple[float, float]) -> Tensor:
    """Return left, top, width and height of the largest part in the middle with such a ratio."""
    nearest = min(max(width / height, ratio[0]), ratio[1])
    part = min(width, round(height * nearest)), min(height, round(width / nearest))
    return torch.tensor([(width - part[0]) // 2, (height - part[1]) // 2, *part])
