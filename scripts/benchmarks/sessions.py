"""Sessions to measure: what ``fit`` would build for an architecture and these images."""

from typing import Any

from torch import nn

from cnn_train.config.experiment import ExperimentConfig
from cnn_train.data.image_set import ImageSet
from cnn_train.device import Device
from cnn_train.reproducibility import seeded
from cnn_train.session import Session, build_session


def make_config(architecture: str, batch_size: int, **settings: Any) -> ExperimentConfig:
    """Return the default config with this architecture: SGD, cross-entropy, L2, augmentation."""
    model = {"name": architecture}
    return ExperimentConfig.model_validate({"model": model, "batch_size": batch_size} | settings)


def start_session(
    architecture: str,
    images: tuple[ImageSet, ImageSet],
    device: Device,
    batch_size: int,
    **settings: Any,
) -> Session:
    """Build the session of a fresh run on (training, validation) images."""
    return build_session(make_config(architecture, batch_size, **settings), *images, device)


def build_plain_model(config: ExperimentConfig, images: ImageSet) -> nn.Module:
    """Build the config's network with the session's first weights, in plain float32 NCHW."""
    with seeded(config.seed, "weights"):
        return config.model.build(len(images.class_names), images.image_shape)
