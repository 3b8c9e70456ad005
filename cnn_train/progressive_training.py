"""Which side an epoch's images have, for a network that can take images of several sizes."""

from collections.abc import Callable

import torch

from .config.experiment import ExperimentConfig
from .errors import ConfigError
from .models.architecture import ArchitectureConfig


def side_by_epoch(
    config: ExperimentConfig, image_shape: tuple[int, int, int]
) -> Callable[[int], int] | None:
    """Return the images' side as a function of the epoch; None where it never changes.

    Raises ConfigError where the network cannot take its first images.
    """
    progress, full_px = config.progressive_size, min(image_shape[1:])
    if not 0 < progress.start_px < full_px:
        return None
    check_size_does_not_matter(config.model, image_shape, progress.start_px)
    return lambda epoch: progress.side_px(epoch, config.epochs, full_px)


def check_size_does_not_matter(
    architecture: ArchitectureConfig, image_shape: tuple[int, int, int], start_px: int
) -> None:
    """Refuse small images for a network whose weights depend on the size of its images."""
    with torch.device("meta"):
        small = architecture.build(2, (image_shape[0], start_px, start_px))
        full = architecture.build(2, image_shape)
    shapes = [[value.shape for value in model.state_dict().values()] for model in (small, full)]
    if shapes[0] != shapes[1]:
        raise ConfigError(
            f"progressive_size.start_px: {architecture.name} has other weights for images of "
            f"{start_px} px; choose a network that ends in a global pooling, or 0"
        )
