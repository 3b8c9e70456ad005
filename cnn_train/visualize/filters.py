"""What a first layer looks for, read off its weights.

A filter of the first layer is multiplied with pixels, so it is itself a small picture. For a
linear classifier it is as large as the image: the template of a class.

Shape letters: K filters, C colours, H W pixels of a filter.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UsageError
from ..models.summary import LayerRun


@dataclass(frozen=True)
class Filters:
    """The filters of ``layer``, KCHW with the image's colours; ``are_templates``: one per class."""

    layer: str
    weights_KCHW: Tensor
    are_templates: bool


def first_filters(runs: Sequence[LayerRun], image_shape: tuple[int, int, int]) -> Filters:
    """Return the weights of the first layer that has them, as pictures of its input pixels.

    Where it reads blocks of pixels that were turned into channels, they are turned back. Raises
    UsageError where the weights are no pictures.
    """
    run = next(run for run in runs if isinstance(run.module, nn.Conv2d | nn.Linear))
    if not isinstance(run.module.weight, nn.Parameter):
        raise UsageError(
            f"--method filters: {run.name} reads the pixels, and its weights are fixed by hand: "
            "no filter is learned there"
        )
    weights = run.module.weight.detach().cpu().float()
    before = runs[: runs.index(run)]
    if isinstance(run.module, nn.Linear):
        if run.module.in_features != math.prod(image_shape):
            raise UsageError(f"--method filters: {run.name} does not read the image's pixels")
        return Filters(run.name, weights.view(-1, *image_shape), run is runs[-1])
    for earlier in before:
        if isinstance(earlier.module, nn.PixelUnshuffle):
            weights = F.pixel_shuffle(weights, earlier.module.downscale_factor)
    if weights.shape[1] != image_shape[0]:
        raise UsageError(f"--method filters: {run.name} does not read the image's colours")
    return Filters(run.name, weights, False)
