"""Classify image files of any common kind with a trained model.

Shape letters: B images of one batch, C channels, H W pixels, K classes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .data.dataset import Progress, silent
from .data.images.files import load_image, resize_and_crop
from .data.images.paths import UnusableImage, find_images
from .errors import DataError, ResourceError
from .score_statistics import rank_classes
from .trained_model import TrainedModel


@dataclass(frozen=True)
class ClassScore:
    """One class's score for one image; probability is None where scores are no probabilities."""

    label: str
    index: int
    score: float
    probability: float | None


@dataclass(frozen=True)
class Prediction:
    """A model's answer for one file.

    top: the best classes, best first. margin: the best score minus the runner-up's.
    image_CHW: uint8, what the network saw. notices: what had to be decided to read the file.
    """

    path: str
    top: tuple[ClassScore, ...]
    margin: float
    image_CHW: Tensor
    notices: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the entry that ``predict --json`` prints."""
        best = self.top[0]
        return {
            "path": self.path,
            "label": best.label,
            "index": best.index,
            "score": best.score,
            "probability": best.probability,
            "top": [{"label": c.label, "index": c.index, "score": c.score} for c in self.top],
        }


def predict_files(
    trained: TrainedModel,
    paths: Iterable[str | Path],
    *,
    top_k: int = 5,
    batch_size: int = 512,
    progress: Progress = silent,
) -> tuple[list[Prediction], list[UnusableImage]]:
    """Predict the class of every image among ``paths`` (files, folders, glob patterns).

    Returns predictions in the order named, and one entry for each path that yields none: a bad
    file never stops the others. Raises DataError where the model does not take square RGB images.
    """
    channels, height, width = trained.image_shape
    if channels != 3 or height != width:
        raise DataError(
            f"the model takes images of {width}×{height} pixels and {channels} channels; "
            "files are read as square RGB images"
        )
    found = find_images(paths)
    predictions, errors = [], list(found.errors)
    with progress(f"Predicting {len(found.files):,} images", len(found.files)) as advance:
        for start in range(0, len(found.files), batch_size):
            files = found.files[start : start + batch_size]
            predicted, failed = _predict_batch(trained, files, top_k)
            predictions += predicted
            errors += failed
            advance(len(files))
    return predictions, errors


@dataclass(frozen=True)
class _NetworkInput:
    """What the network sees of one file."""

    path: str
    image_CHW: Tensor
    notices: tuple[str, ...]


def _predict_batch(
    trained: TrainedModel, files: Sequence[Path], top_k: int
) -> tuple[list[Prediction], list[UnusableImage]]:
    inputs, errors = _load_inputs(files, size_px=trained.image_shape[1])
    if not inputs:
        return [], errors
    images_BCHW = torch.stack([one.image_CHW for one in inputs])
    predictions = []
    for one, scores_K in zip(inputs, trained.scores(images_BCHW), strict=True):
        if torch.isfinite(scores_K).all():
            predictions.append(_predict_one(trained, one, scores_K, top_k))
        else:
            message = f"{one.path}: the model returned NaN scores; choose another checkpoint"
            errors.append(UnusableImage(one.path, message))
    return predictions, errors


def _load_inputs(
    files: Sequence[Path], size_px: int
) -> tuple[list[_NetworkInput], list[UnusableImage]]:
    inputs, errors = [], []
    for file in files:
        try:
            decoded = load_image(file)
        except (DataError, ResourceError) as problem:
            errors.append(UnusableImage(str(file), str(problem)))
            continue
        pixels_HWC = torch.from_numpy(resize_and_crop(decoded.pixels_HWC, size_px))
        image_CHW = pixels_HWC.permute(2, 0, 1).contiguous()
        inputs.append(_NetworkInput(str(file), image_CHW, decoded.notices))
    return inputs, errors


def _predict_one(
    trained: TrainedModel, one: _NetworkInput, scores_K: Tensor, top_k: int
) -> Prediction:
    order_K = rank_classes(scores_K[None])[0]
    probabilities_K = scores_K.double().softmax(dim=0)
    has_probabilities = trained.config.loss.gives_probabilities
    top = tuple(
        ClassScore(
            label=trained.class_names[index],
            index=index,
            score=scores_K[index].item(),
            probability=probabilities_K[index].item() if has_probabilities else None,
        )
        for index in order_K[:top_k].tolist()
    )
    margin = (scores_K[order_K[0]] - scores_K[order_K[1]]).item()
    return Prediction(one.path, top, margin, one.image_CHW, one.notices)
