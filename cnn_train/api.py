"""The Python API, as on the lecture's slide: ``train(images, labels)`` and ``predict(model, ...)``.

Shape letters: N images, C channels, H W pixels.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .config.loading import validate_settings
from .data.dataset import DatasetConfig
from .data.folder.dataset import FolderConfig
from .data.image_set import ImageSet
from .data.images.files import is_opened, read_opened
from .data.images.square import LARGEST_SIZE_PX
from .data.splits import hold_out
from .errors import ConfigError, DataError, UsageError, in_one_line, name_some, spelled_for_python
from .experiment import ExperimentConfig
from .inference.predict import score_files
from .inference.trained_model import TrainedModel, load_trained_model, restore_trained_model
from .runs.directory import find_checkpoint
from .training.fine_tuning import Weights, fill_in
from .training.run import Job, train_job
from .training.session import Session

DATA_SETTINGS = ("val_fraction", "split_seed", "split", "sampling")
Images = Tensor | np.ndarray[Any, Any] | Sequence[Any]


class Training(Iterator[dict[str, float]]):
    """A training under way, from :func:`fit`: each turn of a ``for`` trains one more epoch.

    history: the record of each epoch so far, a plain dict: ``pandas.DataFrame(training.history)``.
    """

    def __init__(self, job: Job, labels: tuple[Any, ...]) -> None:
        self.history: list[dict[str, float]] = []
        self._epochs, self._labels = train_job(job), labels
        self._best: TrainedModel | None = None

    @spelled_for_python()
    def __next__(self) -> dict[str, float]:
        """Train an epoch; return its record (epoch counts from 0, accuracies are fractions)."""
        gpus = range(torch.cuda.device_count())  # a run seeds them all
        with torch.random.fork_rng(gpus), torch.inference_mode(False), torch.enable_grad():
            session, record = next(self._epochs)
            if record.epoch == record.best_epoch:
                checkpoint, where = session.checkpoint(), session.device
                self._best = restore_trained_model(checkpoint, where, "the trained model")
        self.history.append(asdict(record))
        return dict(self.history[-1])

    @property
    def model(self) -> TrainedModel:
        """The model as it was after its best epoch so far; UsageError before the first."""
        if self._best is None:
            raise UsageError("no epoch is trained yet: write for record in training: ... first")
        return replace(self._best, labels=self._labels, history=list(self.history))


def train(images: Images, labels: Sequence[Any], **options: Any) -> TrainedModel:
    """Train a classifier and return it as it was after its best epoch, ready for :func:`predict`.

    All arguments are those of :func:`fit`. ``model.history`` has a record of each epoch, and
    ``model.save("my.ckpt")`` writes a checkpoint.
    """
    training = fit(images, labels, **options)
    for _ in training:
        pass
    return training.model


def fit(
    images: Images,
    labels: Sequence[Any],
    *,
    validation: tuple[Images, Sequence[Any]] | None = None,
    weights: TrainedModel | str | Path | None = None,
    new_head: bool = False,
    device: str = "auto",
    **settings: Any,
) -> Training:
    """Train epoch by epoch: ``for record in (training := fit(...))``; end the loop when you like.

    images: uint8 in [0, 255], NHWC or NCHW, with 1 or 3 channels: an array in any layout, a tensor,
    or a list of arrays or of Pillow's images. labels: N class names or numbers, of any kind that
    sorts. validation: a pair (images, labels) to choose the best epoch by; without it about a tenth
    of each class is held out. weights: a model, run or file to start from, which says the network
    too where ``model`` does not; new_head: without its last layer. device: auto, cpu, cuda, cuda:N
    or mps. ``settings`` are the sections of a config file: ``model={"name": "lenet"}, epochs=5``.
    Raises DataError for images or labels, ConfigError for settings, CheckpointError for weights.
    """
    start = None if weights is None else read_weights(weights)
    if start and (network := start.network):
        settings = {"model": network} | settings
    config = make_config(settings)
    classes, _ = as_indices(labels)
    given, own = make_image_set(images, labels, classes), None
    if validation is not None:
        if not (isinstance(validation, tuple | list) and len(validation) == 2):
            raise DataError("validation must be a pair: (images, labels)")
        own = make_image_set(*validation, classes, "validation image")
    if new_head and weights is None:
        raise UsageError("new_head goes with weights")

    def load_images(data: DatasetConfig) -> tuple[ImageSet, ImageSet]:
        return (given, own) if own else hold_out(given, data)

    def start_weights(session: Session) -> None:
        fill_in(session, start, new_head=new_head, notice=lambda _: None, warn=warnings.warn)

    config = as_of_folder(config, given.image_shape[1])
    return Training(Job(lambda: config, load_images, str(device), fill_in=start_weights), classes)


def read_weights(given: TrainedModel | str | Path) -> Weights:
    """Return what a new run starts from; UsageError for what is no model, CheckpointError."""
    if isinstance(given, TrainedModel):
        return Weights(Path("the given model"), given.checkpoint(), {})
    if isinstance(given, str | Path):
        return Weights.read(find_checkpoint(Path(given)))
    raise UsageError(f"weights: {type(given).__name__} is no model, run or file")


def as_of_folder(config: ExperimentConfig, side_px: int) -> ExperimentConfig:
    """Let ``evaluate --data-root`` measure a saved model on a folder of images of that side."""
    split = config.data.model_dump(include=set(DATA_SETTINGS))
    data = FolderConfig(root=Path(), image_size=min(max(4, side_px), LARGEST_SIZE_PX), **split)
    return config.model_copy(update={"data": data})


def make_image_set(
    images: Images, labels: Sequence[Any], classes: tuple[Any, ...], name: str = "image"
) -> ImageSet:
    """Make labelled images, numbered by ``classes``; DataError where they do not fit."""
    images_NCHW = as_NCHW(images)
    own, labels_N = as_indices(labels)
    if len(images_NCHW) != len(labels_N):
        raise DataError(f"{len(images_NCHW)} {name}s but {len(labels_N)} labels")
    if unknown := [value for value in own if value not in classes]:
        raise DataError(f"{name}s of {name_some(list(map(str, unknown)))}: no training image is")
    position_K = torch.tensor([classes.index(value) for value in own])
    names = tuple(f"{name} {i}" for i in range(len(labels_N)))
    return ImageSet(images_NCHW, position_K[labels_N], tuple(map(str, classes)), names)


def predict(
    model: TrainedModel, test_images: Images | str | Path, *, probabilities: bool = False
) -> list[Any]:
    """Return the label of each image, of the kind given to :func:`train`.

    test_images: as in train, of the model's size; or image files, or Pillow's images, one or
    several, which are brought to that size as ``cnn-train predict`` does it. A model from
    :func:`load_model` returns class names. probabilities: return a dict {label: probability} for
    each image instead, which pandas.DataFrame takes. Raises DataError where an image has no answer,
    UsageError for probabilities of a model whose scores are none.
    """
    if not isinstance(model, TrainedModel):
        raise UsageError(f"predict: {type(model).__name__} is no model; use train or load_model")
    if probabilities and not model.config.loss.gives_probabilities:
        raise UsageError(
            f"a model trained with {model.config.loss.name} has scores, which are no probabilities;"
            " model.scores(images) returns them"
        )
    labels, scores_NK = model.labels or model.class_names, score_images(model, test_images)
    if probabilities:
        shares_NK = scores_NK.double().softmax(1)
        return [dict(zip(labels, row, strict=True)) for row in shares_NK.tolist()]
    return [labels[index] for index in scores_NK.argmax(1).tolist()]


def score_images(model: TrainedModel, images: Any) -> Tensor:
    """Return scores NK of files, arrays or Pillow's images; DataError for what has none."""
    if isinstance(images, str | Path) or is_opened(images):
        images = [images]
    is_list = isinstance(images, list | tuple) and images
    if is_list and all(isinstance(image, str | Path) for image in images):
        return score_files(model, images)
    images_NCHW = as_NCHW(images, model)
    if (shape := tuple(images_NCHW.shape[1:])) != model.image_shape:
        raise DataError(f"images are {shape} (C, H, W); the model takes {model.image_shape}")
    scores_NK = model.scores(images_NCHW)
    if not scores_NK.isfinite().all():
        raise DataError("the model returned NaN scores; choose another checkpoint")
    return scores_NK


@spelled_for_python()
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
    """Validate the settings; of ``data`` only DATA_SETTINGS mean anything here."""
    data = settings.get("data")
    for key in data if isinstance(data, Mapping) else ():
        if key not in DATA_SETTINGS:
            raise ConfigError(
                f"train: data.{key}: the images are given; only {', '.join(DATA_SETTINGS)} apply"
            )
    config = validate_settings(settings, "train", ExperimentConfig)
    for warning in config.warnings():
        warnings.warn(warning, stacklevel=3)
    return config
