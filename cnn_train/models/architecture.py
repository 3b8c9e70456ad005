"""What every architecture's settings can do: build the network."""

from abc import ABC, abstractmethod
from typing import Annotated, Any

from pydantic import Field
from torch import nn

from ..config.base import Config
from ..errors import ConfigError
from .pointwise import avoid_strided_pointwise

NumMaps = Annotated[int, Field(gt=0, le=65_536)]
"""No published network has so many in a layer; sizes far beyond overflow torch's counts."""

MOST_LAYERS = 2000
"""More than any published network has; even without numbers, ten times as many take a minute."""


class ArchitectureConfig(Config, ABC):
    """Settings of one architecture; they sit beside the plain ``nn.Module`` they build."""

    name: str

    @property
    def settings(self) -> dict[str, Any]:
        """Return every setting but the name: the network's keyword arguments."""
        return self.model_dump(exclude={"name"})

    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Build the network for images of ``image_shape`` (C, H, W); it maps BCHW to scores BK.

        Raises ConfigError where the network cannot take such images.
        """
        model = self.make(num_classes, image_shape)
        avoid_strided_pointwise(model)
        return model

    @abstractmethod
    def make(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Make the bare network; ``build`` then avoids what the CPU library computes wrong."""


def require_side(name: str, image_shape: tuple[int, int, int], at_least_px: int) -> None:
    """Raise ConfigError where an image of ``image_shape`` (C, H, W) has a side below the limit."""
    _, height, width = image_shape
    if min(height, width) < at_least_px:
        raise ConfigError(
            f"model.name: {name} needs images of at least {at_least_px}×{at_least_px} pixels, not "
            f"{height}×{width}; enlarge the images or choose a network that shrinks them less, "
            "such as resnet20"
        )
