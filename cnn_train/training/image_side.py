"""The size of each epoch's images, for a network that can take images of several sizes."""

from collections.abc import Callable

import torch

from ..data.progressive_size import shrunk_size
from ..errors import ConfigError
from ..experiment import ExperimentConfig
from ..models.architecture import ArchitectureConfig


def side_by_epoch(
    config: ExperimentConfig, image_shape: tuple[int, int, int]
) -> Callable[[int], int] | None:
    """Return the images' side as a function of the epoch; None where it never changes.

    Raises ConfigError where the network cannot take the images of some epoch.
    """
    progress, full_px = config.progressive_size, min(image_shape[1:])
    if not 0 < progress.start_px < full_px:
        return None

    def side_px(epoch: int) -> int:
        return progress.side_px(epoch, config.epochs, full_px)

    channels, height, width = image_shape
    full_weights = _weight_shapes(config.model, image_shape)
    for side in sorted({side_px(epoch) for epoch in range(config.epochs)}):
        small_height, small_width = shrunk_size(height, width, side)
        images = f"images of {small_height}×{small_width} pixels"
        try:
            weights = _weight_shapes(config.model, (channels, small_height, small_width))
        except ConfigError as problem:
            raise ConfigError(f"progressive_size: {images}: {problem}") from None
        if weights != full_weights:
            raise ConfigError(
                f"progressive_size: {config.model.name} has other weights for {images}; choose a "
                "network that ends in a global pooling, or start_px: 0"
            )
    return side_px


def _weight_shapes(
    architecture: ArchitectureConfig, image_shape: tuple[int, int, int]
) -> list[torch.Size]:
    """List the shapes of all weights, without drawing them."""
    with torch.device("meta"):
        network = architecture.build(2, image_shape)
    return [value.shape for value in network.state_dict().values()]
