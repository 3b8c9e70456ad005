"""Sessions to measure: what ``fit`` would build for an architecture and these images."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from cnn_train.acceleration.forward import training_forward
from cnn_train.data.image_set import ImageSet
from cnn_train.experiment import ExperimentConfig
from cnn_train.machine.device import Device
from cnn_train.random_streams import seeded
from cnn_train.training.building import build_session
from cnn_train.training.session import Session


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


def build_bare_network(
    session: Session, *, compiled: bool = False
) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    """Build the session's network anew on its device, and what calls it in the same precision."""
    model = build_plain_model(session.config, session.batches.images)
    model.to(session.device.torch_device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    forward = training_forward(model, session.device, session.precision, compiled=compiled)
    return model, forward
