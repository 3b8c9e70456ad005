"""What every architecture's settings can do: build the network."""

from abc import ABC, abstractmethod

from torch import nn

from ..config.base import Config

MOST_MAPS = 65_536
"""More than any published network has in a layer; sizes far beyond overflow torch's counts."""

MOST_LAYERS = 10_000
"""More than any published network has; a network far deeper would never be built."""


class ArchitectureConfig(Config, ABC):
    """Settings of one architecture; they sit beside the plain ``nn.Module`` they build."""

    name: str

    @abstractmethod
    def build(self, num_classes: int, image_shape: tuple[int, int, int]) -> nn.Module:
        """Build the network for images of ``image_shape`` (C, H, W); it maps BCHW to scores BK."""
