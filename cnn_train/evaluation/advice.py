"""Say what the epochs of a run and its evaluation suggest to try next: rules of thumb.

The thresholds are ours: wide enough that two seeds of one config rarely get different advice.
"""

from collections.abc import Iterator, Mapping, Sequence

from ..metrics.best import best_record
from ..page import percent
from .evaluate import Evaluation

OVERFITTED = 0.10
"""Training accuracy is so far above validation accuracy: images are learned by heart."""

UNDERFITTED, NOT_LEARNED = 0.03, 0.90
"""Training accuracy is less than the first above the other, and both are below the second."""

STILL_RISING = 0.005
"""Validation accuracy rose by so much from the last but one fifth of the epochs to the last."""

DISHONEST = 0.05
"""Probabilities are off by so much on average."""

WEAK = 0.10
"""A class is so far below the accuracy of all."""

FEWEST_EPOCHS = 5
"""Of fewer there is no course to read."""


def what_next(
    records: Sequence[Mapping[str, float]], epochs: int, evaluation: Evaluation
) -> list[str]:
    """Return suggestions, the weightiest first.

    records: the run's, of its epochs so far. epochs: how many it will have. evaluation: of its best
    checkpoint, on images that it was not trained on.
    """
    return [
        *_about_fit(records),
        *_about_length(records, epochs),
        *_about_classes(evaluation),
        *_about_probabilities(evaluation),
        _about_differences(evaluation),
    ]


def _about_fit(records: Sequence[Mapping[str, float]]) -> Iterator[str]:
    best = best_record(records)
    if best is None:
        return
    trained, validated = best["train_accuracy"], best["val_accuracy"]
    both = f"{percent(trained)} of the training images (changed at random) and "
    both += f"{percent(validated)} of the validation images are right"
    if trained - validated > OVERFITTED:
        yield (
            f"{both}: it learns its images by heart. Try stronger augmentation (augment), more "
            "λ (regularization.strength), more images, or a smaller network."
        )
    elif trained - validated < UNDERFITTED and max(trained, validated) < NOT_LEARNED:
        yield (
            f"{both}: the training images are not learned either. Try more epochs, another rate "
            "(optimizer.lr), a larger network, or weaker augmentation."
        )


def _about_length(records: Sequence[Mapping[str, float]], epochs: int) -> Iterator[str]:
    accuracies = [record["val_accuracy"] for record in records]
    fifth = len(accuracies) // FEWEST_EPOCHS
    best = best_record(records)
    if 0 < len(records) < epochs:
        yield f"Only {len(records)} of {epochs} epochs are done: fit --resume goes on."
    if not fifth or best is None:
        return
    before, after = max(accuracies[-2 * fifth : -fifth]), max(accuracies[-fifth:])
    if after - before > STILL_RISING:
        yield (
            f"Validation accuracy still rose in the last {fifth} of {len(records)} epochs, by "
            f"{100 * (after - before):.1f} points: try more epochs."
        )
    elif best["epoch"] + 1 <= len(records) / 2:
        yield (
            f"The best epoch was {best['epoch'] + 1:.0f} of {len(records)}: what came later did "
            "not help. Try fewer epochs, a lower rate, or stronger augmentation."
        )


def _about_classes(evaluation: Evaluation) -> Iterator[str]:
    known = [scores for scores in evaluation.per_class if scores.accuracy is not None]
    weakest = min(known, key=lambda scores: scores.accuracy or 0.0)
    accuracy = weakest.accuracy or 0.0
    if evaluation.accuracy - accuracy <= WEAK:
        return
    names = list(evaluation.images.class_names)
    wrong_K = evaluation.confusion_KK[names.index(weakest.label)].clone()
    wrong_K[names.index(weakest.label)] = 0
    taken_for = names[int(wrong_K.argmax())]
    yield (
        f"The weakest class is {weakest.label} ({percent(accuracy)}), most often taken for "
        f"{taken_for} ({int(wrong_K.max())} times): look at its mistakes and at its labels."
    )


def _about_probabilities(evaluation: Evaluation) -> Iterator[str]:
    calibration = evaluation.calibration
    if calibration is None or calibration.expected_error <= DISHONEST:
        return
    confidence = evaluation.scores_NK.double().softmax(dim=1).amax(dim=1).mean().item()
    word, why = ("low", "label smoothing does that")
    if confidence > evaluation.accuracy:
        word, why = ("high", "more augmentation or loss.label_smoothing lowers them")
    yield (
        f"Probabilities are too {word}: {percent(confidence)} on average where "
        f"{percent(evaluation.accuracy)} are right; {why}."
    )


def _about_differences(evaluation: Evaluation) -> str:
    low, high = evaluation.accuracy_interval
    return (
        f"On {len(evaluation.images):,} images the accuracy is known to "
        f"± {100 * (high - low) / 2:.1f} points; whether another model is better, compare tells."
    )
