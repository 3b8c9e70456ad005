"""Scores averaged over mirrored and shifted views of each image, or of those that need it.

Shape letters: N images, M of them, B minibatch, C channels, H W pixels, K classes.
"""

from collections.abc import Callable
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from ..errors import UsageError

ViewsName = Literal["none", "flip", "flip_translate"]
Forward = Callable[[Tensor], Tensor]


def check_share(views: ViewsName, share: float) -> None:
    """Refuse a share of images that is none, and one of images that get no views; UsageError."""
    if not 0 < share <= 1:
        raise UsageError(f"--tta-share {share:g}: it is above 0 and at most 1")
    if share < 1 and views == "none":
        raise UsageError(f"--tta-share {share:g}: it goes with --tta flip or flip_translate")


def least_confident(scores_NK: Tensor, share: float) -> Tensor:
    """Return the places M, in order, of the ``share`` of images with the least margins.

    A margin, the best score minus the runner-up's, means something for hinge scores too, which
    are no probabilities. It is the log of the ratio of probabilities where they are. The number is
    rounded, but at least 1; of equal margins the first images count.
    """
    best_N2 = scores_NK.topk(2).values
    order_N = (best_N2[:, 0] - best_N2[:, 1]).argsort(stable=True)
    return order_N[: _num_unsure(len(scores_NK), share)].sort().values


def _num_unsure(num_images: int, share: float) -> int:
    return max(1, round(share * num_images))


def num_scorings(num_images: int, share: float) -> int:
    """Return how often images are scored: all once, and the ``share``, if below 1, once more."""
    return num_images + (_num_unsure(num_images, share) if share < 1 else 0)


def scores_over_views(
    forward: Forward, images_BCHW: Tensor, views: ViewsName, single_BK: Tensor | None = None
) -> Tensor:
    """Return the mean scores BK over the views of each image; ``single_BK``: the first's, if known.

    none: the image. flip: the image and its mirror. flip_translate: half the weight on those two,
    a quarter each on both shifted one pixel up-left and down-right (reflected borders), the rule
    under which the published CIFAR-10 speed records are measured.
    """
    if views == "none":
        return forward(images_BCHW)
    scores_BK = _mirrored_mean(forward, images_BCHW, single_BK)
    if views == "flip":
        return scores_BK
    height, width = images_BCHW.shape[2:]
    padded = F.pad(images_BCHW, (1, 1, 1, 1), mode="reflect")
    up_left = padded[:, :, :height, :width]
    down_right = padded[:, :, 2:, 2:]
    shifted = _mirrored_mean(forward, up_left) + _mirrored_mean(forward, down_right)
    return 0.5 * scores_BK + 0.25 * shifted


def _mirrored_mean(
    forward: Forward, images_BCHW: Tensor, single_BK: Tensor | None = None
) -> Tensor:
    upright_BK = forward(images_BCHW) if single_BK is None else single_BK
    return 0.5 * (upright_BK + forward(images_BCHW.flip(3)))
