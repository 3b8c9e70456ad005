"""The lecture's linear classifier: one weight template per class, scores = W x + b."""

import math
from typing import Literal

from torch import nn

from .architecture import ArchitectureConfig
from .initialisation import initialise


class LinearClassifier(nn.Sequential):
    """Flatten the image and multiply; on CIFAR-10 3072·10 + 10 = 30,730 parameters."""

    def __init__(self, num_classes: int, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(math.prod(image_shape), num_classes)
        initialise(self, head=self.fc)


class LinearConfig(ArchitectureConfig):
    """A linear classifier: one weight template per class."""

    name: Literal["linear"] = "linear"

    def make(self, num_classes: int, image_shape: tuple[int, int, int]) -> LinearClassifier:
        """Make the classifier for images of ``image_shape`` (C, H, W)."""
        return LinearClassifier(num_classes, image_shape)
