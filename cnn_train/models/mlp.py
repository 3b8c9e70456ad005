"""Fully connected layers on the flattened image, without any use of neighbouring pixels."""

import math
from typing import Literal

from pydantic import Field
from torch import nn

from .architecture import MOST_LAYERS, ArchitectureConfig, NumMaps
from .initialisation import initialise


class MLP(nn.Sequential):
    """flatten, then fc1, relu1, dropout1, fc2, relu2, … and the head ``fc``."""

    def __init__(
        self,
        num_classes: int,
        image_shape: tuple[int, int, int],
        *,
        hidden_sizes: tuple[int, ...] = (512, 256),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.add_module("flatten", nn.Flatten())
        features = math.prod(image_shape)
        for number, size in enumerate(hidden_sizes, start=1):
            self.add_module(f"fc{number}", nn.Linear(features, size))
            self.add_module(f"relu{number}", nn.ReLU())
            self.add_module(f"dropout{number}", nn.Dropout(dropout))
            features = size
        self.fc = nn.Linear(features, num_classes)
        initialise(self, head=self.fc)


class MLPConfig(ArchitectureConfig):
    """A multi-layer perceptron: fully connected layers with ReLU."""

    name: Literal["mlp"] = "mlp"
    hidden_sizes: tuple[NumMaps, ...] = Field(
        default=(512, 256),
        strict=False,
        max_length=MOST_LAYERS,
        description="units of each hidden layer, first to last",
    )
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="share of hidden units silenced in training"
    )

    def make(self, num_classes: int, image_shape: tuple[int, int, int]) -> MLP:
        """Make the network for images of ``image_shape`` (C, H, W)."""
        return MLP(num_classes, image_shape, **self.settings)
