"""The Python API, as on the lecture's slide: ``train(images, labels)`` and ``predict(model, ...)``.

Shape letters: N images, C channels, H W pixels.
"""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .config.loading import validate_settings
from .data.image_set import ImageSet
from .data.splits import hold_out
from .errors import ConfigError, DataError
from .experiment import ExperimentConfig
from .inference.trained_model import TrainedModel, load_trained_model, restore_trained_model
from .training.run import Job, train_job

Images = Tensor | np.ndarray[Any, Any]


def train(
    images: Images, labels: Sequence[Any], *, device: str = "auto", **settings: Any
) -> TrainedModel:
    """Train a classifier and return it as it was after its best epoch, ready for :func:`predict`.

    images: uint8 in [0, 255], NHWC or NCHW, with 1 or 3 channels. labels: N class names or
    numbers, of any kind that sorts. ``settings`` are the sections of a config file, for example
    ``model={"name": "lenet"}, epochs=5``. About a tenth of each class is held out to choose
    the best epoch. Raises DataError for images or labels that do not fit, ConfigError for settings.
    """
    config = make_config(settings)
    images_NCHW = as_NCHW(images)
    classes, labels_N = as_indices(labels)
    if len(images_NCHW) != len(labels_N):
        raise DataError(f"{len(images_NCHW)} images but {len(labels_N)} labels")
    job = Job(
        load_settings=lambda: config,
        load_images=lambda data: hold_out(images_of(images_NCHW, classes, labels_N), data),
        device=device,
    )
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):  # a run seeds them all
        for session, record in train_job(job):
            if record.epoch == session.progress.best["epoch"]:
                checkpoint, where = session.checkpoint(), session.device
                best = restore_trained_model(checkpoint, where, "the trained model")
    return replace(best, labels=classes)


def predict(model: TrainedModel, test_images: Images) -> list[Any]:
    """Return the label of each image, of the kind given to :func:`train`; images as in train.

    A model from :func:`load_model` returns class names.
    """
    images_NCHW = as_NCHW(test_images)
    if tuple(images_NCHW.shape[1:]) != model.image_shape:
        raise DataError(
            f"images are {tuple(images_NCHW.shape[1:])} (C, H, W); "
            f"the model was trained on {model.image_shape}"
        )
    labels = model.labels or model.class_names
    return [labels[index] for index in model.scores(images_NCHW).argmax(1).tolist()]


def load_model(path: str | Path, *, device: str = "auto") -> TrainedModel:
    """Load the model of a checkpoint file for :func:`predict`; raises CheckpointError."""
    return load_trained_model(Path(path), device)


def as_NCHW(images: Images) -> Tensor:  # noqa: N802  (shape letters)
    """Return uint8 images as a contiguous NCHW tensor; raises DataError for anything else."""
    tensor = torch.as_tensor(images).cpu()
    if tensor.ndim == 4 and len(tensor) == 0:
        raise DataError(f"images must be one or more; their shape is {tuple(tensor.shape)}")
    if tensor.dtype != torch.uint8 or tensor.ndim != 4:
        raise DataError(
            f"images must be uint8 of shape NHWC or NCHW; "
            f"these are {tensor.dtype} of shape {tuple(tensor.shape)}"
        )
    if tensor.shape[1] in (1, 3):
        return tensor.contiguous()
    if tensor.shape[3] in (1, 3):
        return tensor.permute(0, 3, 1, 2).contiguous()
    raise DataError(f"images must have 1 or 3 channels; their shape is {tuple(tensor.shape)}")


def as_indices(labels: Sequence[Any]) -> tuple[tuple[Any, ...], Tensor]:
    """Return the sorted distinct labels and each label's position among them.

    Raises DataError for labels that are not one per image, or do not sort.
    """
    values = labels.tolist() if isinstance(labels, Tensor | np.ndarray) else list(labels)
    values = [value.item() if isinstance(value, Tensor | np.generic) else value for value in values]
    try:
        classes = sorted(set(values))
    except TypeError as problem:
        raise DataError(f"labels must be N names or N numbers, one per image ({problem})") from None
    position = {value: index for index, value in enumerate(classes)}
    labels_N = torch.tensor([position[value] for value in values], dtype=torch.int64)
    return tuple(classes), labels_N


def make_config(settings: dict[str, Any]) -> ExperimentConfig:
    """Validate the settings; of ``data`` only those of the split mean anything here."""
    unused = sorted(set(settings.get("data", {})) - {"val_fraction", "split_seed", "split"})
    if unused:
        raise ConfigError(
            f"train: data.{unused[0]}: the images are given; only data.val_fraction, "
            "data.split_seed and data.split apply"
        )
    config = validate_settings(settings, "train", ExperimentConfig)
    for warning in config.warnings():
        warnings.warn(warning, stacklevel=3)
    return config


def images_of(images_NCHW: Tensor, classes: Sequence[Any], labels_N: Tensor) -> ImageSet:
    """Name the classes and the images."""
    names = tuple(f"image {i}" for i in range(len(labels_N)))
    return ImageSet(images_NCHW, labels_N, tuple(map(str, classes)), names)
