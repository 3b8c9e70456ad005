"""The size of each minibatch's images, for a network that can take images of several sizes."""

from collections.abc import Callable

import torch

from ..data.progressive_size import shrunk_size
from ..errors import ConfigError
from ..experiment import ExperimentConfig
from ..models.architecture import ArchitectureConfig


def side_over_time(
    config: ExperimentConfig, image_shape: tuple[int, int, int]
) -> Callable[[int, float], int] | None:
    """Return the images' side by epoch and the part of it that is done; None: it never changes.

    Raises ConfigError where the network cannot take the images of some epoch.
    """
    progress, full_px = config.progressive_size, min(image_shape[1:])

    def side_px(epoch: int, done: float) -> int:
        return progress.side_px(epoch, config.epochs, full_px, done)

    sides = {min(side, full_px) for side, _ in progress.stages}
    sides |= {side_px(epoch, 0.0) for epoch in range(config.epochs)}
    if sides == {full_px}:
        return None
    channels, height, width = image_shape
    full_weights = _weight_shapes(config.model, image_shape)
    for side in sorted(sides):
        small_height, small_width = shrunk_size(height, width, side)
        images = f"images of {small_height}×{small_width} pixels"
        try:
            weights = _weight_shapes(config.model, (channels, small_height, small_width))
        except ConfigError as problem:
            raise ConfigError(f"progressive_size: {images}: {problem}") from None
        if weights != full_weights:
            raise ConfigError(
                f"progressive_size: {config.model.name} has other weights for {images}; choose a "
                "network that ends in a global pooling, or full size"
            )
    return side_px


def _weight_shapes(
    architecture: ArchitectureConfig, image_shape: tuple[int, int, int]
) -> list[torch.Size]:
    """List the shapes of all weights, without drawing them."""
    with torch.device("meta"):
        network = architecture.build(2, image_shape)
    return [value.shape for value in network.state_dict().values()]
