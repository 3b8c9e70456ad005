"""The Python API, as on the lecture's slide: ``train(images, labels)`` and ``predict(model, ...)``.

Shape letters: N images, C channels, H W pixels.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .config.experiment import ExperimentConfig
from .config.loading import validate_settings
from .data.image_set import ImageSet
from .data.splits import stratified_split
from .device import resolve_device
from .errors import DataError
from .fit import fit
from .session import build_session
from .trained_model import TrainedModel, load_trained_model, restore_trained_model

Images = Tensor | np.ndarray[Any, Any]


def train(
    images: Images, labels: Sequence[Any], *, device: str = "auto", **settings: Any
) -> TrainedModel:
    """Train a classifier and return it, ready for :func:`predict`.

    images: uint8 in [0, 255], NHWC or NCHW, with 1 or 3 channels. labels: N class names or
    numbers, of any kind that sorts. ``settings`` are the sections of a config file, for example
    ``model={"name": "lenet"}, epochs=5``. A stratified tenth of the images is held out for
    validation. Raises DataError for images or labels that do not fit, ConfigError for
    settings.
    """
    config = validate_settings(settings, "train", ExperimentConfig)
    images_NCHW = as_NCHW(images)
    class_names, labels_N = as_indices(labels)
    if len(images_NCHW) != len(labels_N):
        raise DataError(f"{len(images_NCHW)} images but {len(labels_N)} labels")
    names = tuple(f"image {i}" for i in range(len(labels_N)))
    everything = ImageSet(images_NCHW, labels_N, class_names, names)
    try:
        train_N, val_N = stratified_split(
            labels_N, config.data.val_fraction, config.data.split_seed
        )
    except ValueError as problem:
        raise DataError(f"cannot hold out validation images: {problem}") from None
    chosen = resolve_device(device)
    session = build_session(config, everything.select(train_N), everything.select(val_N), chosen)
    for _ in fit(session):
        pass
    return restore_trained_model(session.checkpoint(), chosen, "the trained model")


def predict(model: TrainedModel, test_images: Images) -> list[str]:
    """Return the class name of each image; images as for :func:`train`."""
    images_NCHW = as_NCHW(test_images)
    if tuple(images_NCHW.shape[1:]) != model.image_shape:
        raise DataError(
            f"images are {tuple(images_NCHW.shape[1:])} (C, H, W); "
            f"the model was trained on {model.image_shape}"
        )
    best_N = model.scores(images_NCHW).argmax(1)
    return [model.class_names[index] for index in best_N.tolist()]


def load_model(path: str | Path, *, device: str = "auto") -> TrainedModel:
    """Load the model of a checkpoint file for :func:`predict`; raises CheckpointError."""
    return load_trained_model(Path(path), device)


def as_NCHW(images: Images) -> Tensor:  # noqa: N802  (shape letters)
    """Return uint8 images as a contiguous NCHW tensor; raises DataError for anything else."""
    tensor = torch.as_tensor(images)
    if tensor.dtype != torch.uint8 or tensor.ndim != 4 or len(tensor) == 0:
        raise DataError(
            f"images must be uint8 of shape NHWC or NCHW; "
            f"these are {tensor.dtype} of shape {tuple(tensor.shape)}"
        )
    if tensor.shape[1] in (1, 3):
        return tensor.contiguous()
    if tensor.shape[3] in (1, 3):
        return tensor.permute(0, 3, 1, 2).contiguous()
    raise DataError(f"images must have 1 or 3 channels; their shape is {tuple(tensor.shape)}")


def as_indices(labels: Sequence[Any]) -> tuple[tuple[str, ...], Tensor]:
    """Return the sorted class names and each label's position; raises DataError if none sort."""
    values = labels.tolist() if isinstance(labels, Tensor | np.ndarray) else list(labels)
    try:
        classes = sorted(set(values))
    except TypeError as problem:
        raise DataError(f"labels must be of one kind, such as all names: {problem}") from None
    position = {value: index for index, value in enumerate(classes)}
    labels_N = torch.tensor([position[value] for value in values], dtype=torch.int64)
    return tuple(str(value) for value in classes), labels_N
