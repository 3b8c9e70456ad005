"""A first layer that is computed from the images instead of learned.

Neighbouring pixels are nearly equal, so a network must first learn to see their differences. The
eigenvectors of the covariance of small patches do that at once: scaled to unit variance, and each
with its negative, because the activation that follows passes only one side (Page, "How to train
your ResNet", 2018; Jordan, "94% on CIFAR-10 in 3.29 seconds", 2024).

Shape letters: B minibatch, C channels, H W pixels, P patches, D numbers in a patch.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 5e-4
"""Added to each variance (of images with unit variance), so that faint directions stay faint."""


class Whitening(nn.Conv2d):
    """Project each patch on its principal directions and their negatives; nothing is learned."""

    def __init__(self, channels: int, kernel_px: int) -> None:
        super().__init__(channels, 2 * channels * kernel_px**2, kernel_px, bias=False)
        self.weight.requires_grad_(False)

    @torch.no_grad()
    def fit(self, pieces_BCHW: Iterable[Tensor]) -> None:
        """Set the filters to the whitened principal directions of the images' patches."""
        filters_DD = whitening_filters(pieces_BCHW, self.kernel_size[0]).to(self.weight)
        filters_DCHW = filters_DD.view(-1, *self.weight.shape[1:])
        self.weight.copy_(torch.cat([filters_DCHW, -filters_DCHW]))


def whitening_filters(pieces_BCHW: Iterable[Tensor], kernel_px: int) -> Tensor:
    """Return one filter per row: eigenvectors of the patch covariance over their deviations.

    Images come in pieces, so that their patches need not lie in memory all at once. Everything is
    computed on the CPU, the eigenvectors in float64: every device starts from the same filters.
    """
    num_patches, products_DD = 0, torch.zeros((), dtype=torch.float64)
    for images_BCHW in pieces_BCHW:
        patches_BDP = F.unfold(images_BCHW.float().cpu(), kernel_px)
        num_patches += patches_BDP.shape[0] * patches_BDP.shape[2]
        products_DD = products_DD + (patches_BDP @ patches_BDP.mT).sum(0).double()
    variances_D, directions_DD = torch.linalg.eigh(products_DD / num_patches)
    filters_DD: Tensor = directions_DD.T / (variances_D[:, None] + EPSILON).sqrt()
    return filters_DD
