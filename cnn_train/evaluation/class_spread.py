"""Intraclass variation: how far apart a network puts the images of one class.

Shape letters: N examples, B minibatch, D features, K classes.
"""

import math

import torch
from torch import Tensor

from ..data.image_set import ImageSet
from ..inference.trained_model import TrainedModel
from ..models.head import head_layer, reading_inputs


class FeatureMoments:
    """Counts, sums and squared lengths of the features of each class, in float64."""

    def __init__(self, num_classes: int) -> None:
        self.counts_K = torch.zeros(num_classes, dtype=torch.float64)
        self.squares_K = torch.zeros(num_classes, dtype=torch.float64)
        self.sums_KD = torch.zeros(num_classes, 1, dtype=torch.float64)

    def add(self, features_BD: Tensor, labels_B: Tensor) -> None:
        """Add the features of some images."""
        features_BD = features_BD.double()
        if self.sums_KD.shape[1] != features_BD.shape[1]:
            self.sums_KD = self.sums_KD.new_zeros(len(self.counts_K), features_BD.shape[1])
        self.counts_K.index_add_(0, labels_B, torch.ones_like(labels_B, dtype=torch.float64))
        self.squares_K.index_add_(0, labels_B, features_BD.square().sum(dim=1))
        self.sums_KD.index_add_(0, labels_B, features_BD)

    def spread(self) -> list[float | None]:
        """Return each class's mean squared distance from its mean, over that of all images.

        0: all images of the class are one point; 1: they lie as far apart as images of all
        classes. None for a class without images, and where all images are one point.
        """
        within_K = self.squares_K / self.counts_K - (
            (self.sums_KD / self.counts_K[:, None]).square().sum(dim=1)
        )
        num_images = self.counts_K.sum()
        mean_D = self.sums_KD.sum(dim=0) / num_images
        whole = self.squares_K.sum() / num_images - mean_D.square().sum()
        spread = (within_K / whole).tolist() if whole > 0 else [math.nan] * len(within_K)
        return [None if math.isnan(value) else max(value, 0.0) for value in spread]


def measure_spread(
    trained: TrainedModel, images: ImageSet, *, batch_size: int = 512
) -> list[float | None]:
    """Return the spread of every class in the features that the network's last layer reads."""
    moments = FeatureMoments(len(trained.class_names))
    _, head = head_layer(trained.model)
    with reading_inputs(head) as features:
        for start in range(0, len(images), batch_size):
            part = slice(start, start + batch_size)
            trained.scores(images.images_NCHW[part], batch_size=batch_size)
            moments.add(features.pop().flatten(1), images.labels_N[part])
    return moments.spread()
