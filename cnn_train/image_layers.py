"""Layers that are computed from the training images before the first update, not learned."""

import torch
from torch import nn

from .data.batches import evaluation_batch_size
from .data.image_set import ImageSet
from .data.normalization import Normalization

IMAGES_TO_READ = 5000
"""Enough for the covariance of small patches: each image has hundreds of them."""


def fit_image_layers(model: nn.Module, train: ImageSet, normalization: Normalization) -> None:
    """Compute the layers that are not learned from images spread evenly over the training set."""
    every = -(-len(train) // IMAGES_TO_READ)
    piece = evaluation_batch_size(train.image_shape)
    for layer in getattr(model, "image_layers", []):
        layer.fit(map(normalization, torch.split(train.images_NCHW[::every], piece)))
