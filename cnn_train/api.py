"""The Python API, as on the lecture's slide: ``train(images, labels)`` and ``predict(model, ...)``.

Shape letters: N images, C channels, H W pixels.
"""

import warnings
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .config.loading import validate_settings
from .data.image_set import ImageSet
from .data.images.files import is_opened, read_opened
from .data.splits import hold_out
from .errors import ConfigError, DataError, UsageError, in_one_line
from .experiment import ExperimentConfig
from .inference.predict import predict_files
from .inference.trained_model import TrainedModel, load_trained_model, restore_trained_model
from .runs.directory import find_checkpoint
from .training.run import Job, train_job

Images = Tensor | np.ndarray[Any, Any] | Sequence[Any]


def train(
    images: Images, labels: Sequence[Any], *, device: str = "auto", **settings: Any
) -> TrainedModel:
    """Train a classifier and return it as it was after its best epoch, ready for :func:`predict`.

    images: uint8 in [0, 255], NHWC or NCHW, with 1 or 3 channels: an array in any layout, a tensor,
    or a list of arrays or of Pillow's images. labels: N class names or numbers, of any kind that
    sorts. ``settings`` are the sections of a config file, for example ``model={"name": "lenet"},
    epochs=5``. About a tenth of each class is held out to choose the best epoch. Raises DataError
    for images or labels that do not fit, ConfigError for settings.
    """
    config = make_config(settings)
    images_NCHW = as_NCHW(images)
    classes, labels_N = as_indices(labels)
    if len(images_NCHW) != len(labels_N):
        raise DataError(f"{len(images_NCHW)} images but {len(labels_N)} labels")
    names = tuple(f"image {i}" for i in range(len(labels_N)))
    given = ImageSet(images_NCHW, labels_N, tuple(map(str, classes)), names)
    job = Job(lambda: config, lambda data: hold_out(given, data), str(device))
    gpus = range(torch.cuda.device_count())  # a run seeds them all
    with torch.random.fork_rng(gpus), torch.inference_mode(False), torch.enable_grad():
        for session, record in train_job(job):
            if record.epoch == record.best_epoch:
                checkpoint, where = session.checkpoint(), session.device
                best = restore_trained_model(checkpoint, where, "the trained model")
    return replace(best, labels=classes)


def predict(model: TrainedModel, test_images: Images | str | Path) -> list[Any]:
    """Return the label of each image, of the kind given to :func:`train`.

    test_images: as in train, of the model's size; or image files, or Pillow's images, one or
    several, which are brought to that size as ``cnn-train predict`` does it. A model from
    :func:`load_model` returns class names. Raises DataError where an image has no answer.
    """
    if not isinstance(model, TrainedModel):
        raise UsageError(f"predict: {type(model).__name__} is no model; use train or load_model")
    is_one = isinstance(test_images, str | Path) or is_opened(test_images)
    images: Any = [test_images] if is_one else test_images
    labels = model.labels or model.class_names
    is_list = isinstance(images, list | tuple) and images
    if is_list and all(isinstance(image, str | Path) for image in images):
        return [labels[index] for index in classify_files(model, images)]
    images_NCHW = as_NCHW(images, model)
    if tuple(images_NCHW.shape[1:]) != model.image_shape:
        raise DataError(
            f"images are {tuple(images_NCHW.shape[1:])} (C, H, W); "
            f"the model was trained on {model.image_shape}"
        )
    scores_NK = model.scores(images_NCHW)
    if not scores_NK.isfinite().all():
        raise DataError("the model returned NaN scores; choose another checkpoint")
    return [labels[index] for index in scores_NK.argmax(1).tolist()]


def classify_files(model: TrainedModel, paths: Sequence[str | Path]) -> list[int]:
    """Return the class of each image file, in order; raises DataError for the first bad one."""
    names = [str(Path(path)) for path in paths]
    predictions, errors = predict_files(model, names, top_k=1)
    if errors:
        raise DataError(errors[0].message)
    found = {prediction.path: prediction.top[0].index for prediction in predictions}
    for name in names:
        if name not in found:  # a folder, a pattern
            raise DataError(f"{in_one_line(name)}: stands for others; name each image file itself")
    return [found[name] for name in names]


def load_model(path: str | Path, *, device: str = "auto") -> TrainedModel:
    """Load a checkpoint, the best of a run directory, or ``pretrained:NAME``; CheckpointError."""
    return load_trained_model(find_checkpoint(Path(str(path))), str(device))


def as_NCHW(images: Images, model: TrainedModel | None = None) -> Tensor:  # noqa: N802
    """Return uint8 images as a contiguous NCHW tensor; raises DataError for anything else.

    Pillow's images become such as ``model`` takes, where it is given.
    """
    if isinstance(images, list | tuple):
        reading = model.reading() if model and any(map(is_opened, images)) else None
        images = [read_opened(one, reading) if is_opened(one) else one for one in images]
    try:
        array = np.asarray(images.cpu() if isinstance(images, Tensor) else images)
    except (TypeError, ValueError, RuntimeError) as problem:
        reason = in_one_line(problem)
        raise DataError(f"images must be one array of shape NHWC or NCHW ({reason})") from None
    these = f"{array.dtype} of shape {array.shape}"
    if array.dtype != np.uint8 or array.ndim != 4 or not array.size:
        raise DataError(
            "images must be uint8, from 0 to 255, of shape NHWC or NCHW (images[None] makes one of "
            f"a single image); these are {these}"
        )
    if array.shape[1] not in (1, 3):
        array = array.transpose(0, 3, 1, 2)
    if array.shape[1] not in (1, 3):
        raise DataError(f"images must have 1 or 3 channels; these are {these}")
    # torch reads neither backwards nor what must not be written to
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def as_indices(labels: Sequence[Any]) -> tuple[tuple[Any, ...], Tensor]:
    """Return the sorted distinct labels and each label's position among them.

    Raises DataError for labels that are not one per image, or do not sort.
    """
    try:
        if isinstance(labels, str | bytes | Mapping | Set):
            raise TypeError(f"a {type(labels).__name__} is no list of them")
        values = labels.tolist() if isinstance(labels, Tensor | np.ndarray) else list(labels)
        values = [v.item() if isinstance(v, Tensor | np.generic) else v for v in values]
        classes = sorted(set(values))
        if not all(first < second for first, second in pairwise(classes)):
            raise TypeError("NaN, or sets, have no order")
    except (TypeError, ValueError, RuntimeError) as problem:
        reason = in_one_line(problem)
        raise DataError(f"labels must be N names or N numbers, one per image ({reason})") from None
    position = {value: index for index, value in enumerate(classes)}
    labels_N = torch.tensor([position[value] for value in values], dtype=torch.int64)
    return tuple(classes), labels_N


def make_config(settings: dict[str, Any]) -> ExperimentConfig:
    """Validate the settings; of ``data`` only split and sampling mean anything here."""
    data = settings.get("data")
    for key in data if isinstance(data, Mapping) else ():
        if key not in ("val_fraction", "split_seed", "split", "sampling"):
            raise ConfigError(
                f"train: data.{key}: the images are given; only data.val_fraction, "
                "data.split_seed, data.split and data.sampling apply"
            )
    config = validate_settings(settings, "train", ExperimentConfig)
    for warning in config.warnings():
        warnings.warn(warning, stacklevel=3)
    return config
