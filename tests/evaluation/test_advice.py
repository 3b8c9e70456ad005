from typing import Any

import pytest
import torch

from cnn_train.data.image_set import ImageSet
from cnn_train.evaluation.advice import what_next
from cnn_train.evaluation.evaluate import Evaluation
from cnn_train.metrics.statistics import (
    accuracy_interval,
    count_confusion,
    measure_calibration,
    measure_classes,
)

CLASSES = ("cat", "dog")


def records_of(train: list[float], val: list[float]) -> list[dict[str, float]]:
    best = max(range(len(val)), key=val.__getitem__)
    pairs = enumerate(zip(train, val, strict=True))
    return [
        {"epoch": i, "train_accuracy": t, "val_accuracy": v, "best_epoch": best}
        for i, (t, v) in pairs
    ]


def evaluation_of(labels: list[int], predicted: list[int], confidence: float) -> Evaluation:
    """Stands for an evaluation in which every answer is as sure as ``confidence``."""
    labels_N, predicted_N = torch.tensor(labels), torch.tensor(predicted)
    right_N = labels_N == predicted_N
    lead = torch.logit(torch.tensor(confidence))
    scores_NK = torch.nn.functional.one_hot(predicted_N, 2) * lead
    confusion_KK = count_confusion(labels_N, predicted_N, 2)
    pixels_NCHW, names = torch.zeros(len(labels), 3, 8, 8, dtype=torch.uint8), ("",) * len(labels)
    images = ImageSet(pixels_NCHW, labels_N, CLASSES, names)
    given: dict[str, Any] = {
        "split": "val", "tta": "none", "tta_share": 1.0, "images": images, "scores_NK": scores_NK,
        "predicted_N": predicted_N, "accuracy": right_N.double().mean().item(),
        "accuracy_interval": accuracy_interval(int(right_N.sum()), len(labels)),
        "top5_accuracy": None, "loss": 1.0, "confusion_KK": confusion_KK,
        "per_class": measure_classes(confusion_KK, CLASSES), "num_trained_on": 0,
        "calibration": measure_calibration(torch.full((len(labels),), confidence), right_N),
    }  # fmt: skip
    return Evaluation(**given)


HALF_RIGHT = evaluation_of([0, 1] * 50, [0] * 100, 0.5)
ALL_RIGHT = evaluation_of([0, 1] * 50, [0, 1] * 50, 0.99)


@pytest.mark.parametrize(
    ("train", "val", "advice"),
    [
        ([0.5, 0.8, 0.99], [0.5, 0.7, 0.75], "learns its images by heart"),
        ([0.5, 0.55, 0.6], [0.5, 0.55, 0.6], "not learned either"),
        ([0.5, 0.6, 0.7, 0.8, 0.95], [0.5, 0.6, 0.7, 0.8, 0.9], "rose in the last 1 of 5 epochs"),
        ([0.5, 0.8, 0.9, 0.9, 0.9], [0.6, 0.85, 0.8, 0.8, 0.8], "best epoch was 2 of 5"),
    ],
)
def test_the_course_of_a_run_has_its_advice(
    train: list[float], val: list[float], advice: str
) -> None:
    points = what_next(records_of(train, val), len(val), ALL_RIGHT)
    assert any(advice in point for point in points), points


@pytest.mark.parametrize("train", [0.96, 0.6])  # 0.6: of strongly changed images
def test_a_sound_run_gets_only_the_width_of_its_interval(train: float) -> None:
    records = records_of([0.5, 0.5, 0.5, 0.5, train], [0.5, 0.7, 0.85, 0.9, 0.902])
    (point,) = what_next(records, 5, ALL_RIGHT)
    assert point.startswith("On 100 images the accuracy is known to ± 1.8 points")


def test_the_weakest_class_is_named_with_what_it_is_taken_for() -> None:
    (weak, *_) = what_next([], 5, HALF_RIGHT)
    assert "dog (0.0 %), most often taken for cat (50 times)" in weak


@pytest.mark.parametrize(("confidence", "word"), [(0.6, "low"), (1.0 - 1e-6, None)])
def test_probabilities_that_say_too_little_are_named(confidence: float, word: str | None) -> None:
    points = what_next([], 1, evaluation_of([0, 1] * 50, [0, 1] * 50, confidence))
    assert any(f"too {word}" in point for point in points) == (word is not None)
    sure = what_next([], 1, evaluation_of([0, 1] * 50, [0] * 100, 0.99))
    assert any("Probabilities are too high: 99.0 %" in point for point in sure)


def test_an_unfinished_run_and_one_without_epochs_have_advice_too() -> None:
    records = records_of([0.5, 0.7, 0.8], [0.5, 0.7, 0.8])
    assert any("Only 3 of 9 epochs" in point for point in what_next(records, 9, ALL_RIGHT))
