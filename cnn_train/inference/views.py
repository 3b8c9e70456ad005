"""Scores averaged over mirrored and shifted views of each image.

Shape letters: B minibatch, C channels, H W pixels, K classes.
"""

from collections.abc import Callable
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

ViewsName = Literal["none", "flip", "flip_translate"]
Forward = Callable[[Tensor], Tensor]


def scores_over_views(forward: Forward, images_BCHW: Tensor, views: ViewsName) -> Tensor:
    """Return the mean scores BK over the views of each image.

    none: the image. flip: the image and its mirror. flip_translate: half the weight on those two,
    a quarter each on both shifted one pixel up-left and down-right (reflected borders), the rule
    under which the published CIFAR-10 speed records are measured.
    """
    if views == "none":
        return forward(images_BCHW)
    scores_BK = _mirrored_mean(forward, images_BCHW)
    if views == "flip":
        return scores_BK
    height, width = images_BCHW.shape[2:]
    padded = F.pad(images_BCHW, (1, 1, 1, 1), mode="reflect")
    up_left = padded[:, :, :height, :width]
    down_right = padded[:, :, 2:, 2:]
    shifted = _mirrored_mean(forward, up_left) + _mirrored_mean(forward, down_right)
    return 0.5 * scores_BK + 0.25 * shifted


def _mirrored_mean(forward: Forward, images_BCHW: Tensor) -> Tensor:
    return 0.5 * (forward(images_BCHW) + forward(images_BCHW.flip(3)))
