"""Measure a trained model on one labelled split.

Shape letters: N examples, C channels, H W pixels, K classes.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import repeat
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ..data.dataset import DataAccess, Progress, silent
from ..data.image_set import ImageSet
from ..data.splits import load_training_splits
from ..errors import CheckpointError, DataError
from ..inference.trained_model import TrainedModel
from ..inference.views import ViewsName, num_scorings
from ..machine.memory_shortage import memory_explained
from ..metrics.statistics import (
    Calibration,
    ClassStatistics,
    accuracy_interval,
    count_confusion,
    macro_means,
    measure_calibration,
    measure_classes,
    top_accuracy,
)

SplitName = Literal["test", "val", "train"]

FEWEST_CLASSES_FOR_TOP5 = 6
"""With five classes or fewer every class is among the best five."""


@dataclass(frozen=True)
class Evaluation:
    """How good a model is on one split; an undefined value is None.

    scores_NK and predicted_N follow the order of ``images``. loss: the training's data loss, mean
    per image, all of which count alike. accuracy_interval: 95 % (Wilson). calibration: None where
    scores are no probabilities. num_trained_on: how many images it is known to be trained on.
    """

    split: str
    tta: ViewsName
    tta_share: float
    images: ImageSet
    scores_NK: Tensor
    predicted_N: Tensor
    accuracy: float
    accuracy_interval: tuple[float, float]
    top5_accuracy: float | None
    loss: float
    confusion_KK: Tensor
    per_class: tuple[ClassStatistics, ...]
    calibration: Calibration | None
    num_trained_on: int

    def to_json(self, checkpoint: Path) -> dict[str, Any]:
        """Return the document that ``evaluate --json`` prints."""
        return {
            "checkpoint": str(checkpoint),
            "split": self.split,
            "tta": self.tta,
            "tta_share": self.tta_share,
            "num_examples": len(self.images),
            "num_trained_on": self.num_trained_on,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "top5_accuracy": self.top5_accuracy,
            "loss": self.loss,
            **macro_means(self.confusion_KK),
            "calibration_error": self.calibration and self.calibration.expected_error,
            "calibration_bins": self.calibration and [asdict(b) for b in self.calibration.bins],
            "per_class": [asdict(class_) for class_ in self.per_class],
            "confusion": self.confusion_KK.tolist(),
        }


def list_answers(evaluation: Evaluation) -> Iterator[tuple[object, ...]]:
    """Yield the rows of ``evaluate --predictions``: a header, then the images in their order.

    right: 1 or 0, so that its mean is the accuracy. probability: None where scores are none.
    """
    images, scores_NK = evaluation.images, evaluation.scores_NK
    names = images.class_names
    yield ("index", "image", "true", "predicted", "right", "probability",
           *(f"score {name}" for name in names))  # fmt: skip
    known = evaluation.calibration is not None
    best_N = scores_NK.double().softmax(dim=1).amax(dim=1).tolist() if known else repeat(None)
    numbers = (images.labels_N.tolist(), evaluation.predicted_N.tolist(), scores_NK.tolist())
    rows = enumerate(zip(images.names, best_N, *numbers, strict=False))
    for i, (image, best, true, predicted, scores) in rows:
        yield (i, image, names[true], names[predicted], int(true == predicted), best, *scores)


def load_split(
    trained: TrainedModel, split: SplitName, access: DataAccess, data_root: Path | None = None
) -> ImageSet:
    """Load a split of the model's dataset; ``data_root`` is where its images lie now.

    Raises DataError where the images are missing, damaged or of other classes, UsageError for a
    ``data_root`` that the dataset cannot use.
    """
    config = trained.config.data.moved_to(data_root)
    if split == "test":
        return config.load_test(access, trained.class_names)
    train, val = load_training_splits(config, access)
    images = (val if split == "val" else train).relabel(trained.class_names, f"the {split} split")
    if images.fingerprint() != trained.data_fingerprints.get(split):
        access.notice(f"these {split} images are not those of the model's training run")
    return images


def evaluate(
    trained: TrainedModel,
    images: ImageSet,
    *,
    split: str = "test",
    batch_size: int = 512,
    tta: ViewsName = "none",
    tta_share: float = 1.0,
    progress: Progress = silent,
) -> Evaluation:
    """Score every image once and measure the predictions.

    tta and tta_share: as in ``TrainedModel.scores``. Raises DataError where the images do not fit
    the model, CheckpointError where its scores are not finite, ResourceError where a minibatch does
    not fit into the device's memory.
    """
    check_fit(trained, images, split)
    device = trained.device.torch_device
    with (
        progress(
            f"Scoring {len(images):,} {split} images", num_scorings(len(images), tta_share)
        ) as advance,
        memory_explained(device, min(batch_size, len(images)), "--batch-size"),
    ):
        scores_NK = trained.scores(
            images.images_NCHW, batch_size=batch_size, tta=tta, tta_share=tta_share, advance=advance
        )
    _check_finite(scores_NK)
    labels_N, num_classes = images.labels_N, len(trained.class_names)
    predicted_N = scores_NK.argmax(dim=1)
    num_correct = int((predicted_N == labels_N).sum())
    confusion_KK = count_confusion(labels_N, predicted_N, num_classes)
    has_top5 = num_classes >= FEWEST_CLASSES_FOR_TOP5
    calibration = None
    if trained.config.loss.gives_probabilities:
        confidence_N = scores_NK.double().softmax(dim=1).amax(dim=1)
        calibration = measure_calibration(confidence_N, predicted_N == labels_N)
    return Evaluation(
        split=split,
        tta=tta,
        tta_share=tta_share,
        images=images,
        scores_NK=scores_NK,
        predicted_N=predicted_N,
        accuracy=num_correct / len(images),
        accuracy_interval=accuracy_interval(num_correct, len(images)),
        top5_accuracy=top_accuracy(scores_NK, labels_N, 5) if has_top5 else None,
        loss=trained.config.loss.build()(scores_NK.double(), labels_N).item(),
        confusion_KK=confusion_KK,
        per_class=measure_classes(confusion_KK, trained.class_names),
        calibration=calibration,
        num_trained_on=len(images.named_in(trained.training_images)),
    )


def check_fit(trained: TrainedModel, images: ImageSet, split: str) -> None:
    """Refuse images on which the model's predictions would mean nothing."""
    if len(images) == 0:
        raise DataError(f"the {split} split holds no images")
    if images.class_names != trained.class_names:
        raise DataError(
            f"the {split} split has the classes {', '.join(images.class_names)}, but the model "
            f"knows {', '.join(trained.class_names)}; name the right images with --data-root"
        )
    if images.image_shape != trained.image_shape:
        raise DataError(
            f"the {split} images are {_size(images.image_shape)}, "
            f"but the model takes {_size(trained.image_shape)}"
        )
    num_classes = len(trained.class_names)
    outside_N = (images.labels_N < 0) | (images.labels_N >= num_classes)
    if outside_N.any():
        first = int(outside_N.nonzero()[0])
        raise DataError(
            f"{images.names[first]}: label {int(images.labels_N[first])} is out of range "
            f"0 to {num_classes - 1}"
        )


def _size(image_shape: tuple[int, int, int]) -> str:
    channels, height, width = image_shape
    return f"{width}×{height} with {channels} channels"


def _check_finite(scores_NK: Tensor) -> None:
    num_bad = int((~torch.isfinite(scores_NK)).any(dim=1).sum())
    if num_bad:
        raise CheckpointError(
            f"the model returns scores that are not finite (NaN) for {num_bad:,} of "
            f"{len(scores_NK):,} images: its weights are unusable; choose another checkpoint"
        )
