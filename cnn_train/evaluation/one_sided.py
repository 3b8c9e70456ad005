"""Say where an accuracy tells too little, because the classes fare very differently."""

from collections.abc import Iterator

import torch

from ..metrics.statistics import balanced_accuracy
from .evaluate import Evaluation

ALMOST_ALL = 0.95
"""The share of the answers that one class may have."""

FAR = 0.1
"""How far accuracy and its mean over the classes may lie apart."""

ADVICE = "loss.weights: balanced or data.sampling: balanced trains all classes alike"


def describe_one_sidedness(evaluation: Evaluation) -> Iterator[str]:
    """Yield, in at most one line, that one class has almost all answers, or classes differ much."""
    true_K, predicted_K = (evaluation.confusion_KK.sum(dim) for dim in (1, 0))
    counts_3K = evaluation.confusion_KK.diagonal(), true_K, predicted_K
    top, total = int(predicted_K.argmax()), len(evaluation.images)
    answers, images = int(predicted_K[top]), int(true_K[top])
    name = evaluation.images.class_names[top]
    mean = balanced_accuracy(torch.stack(counts_3K))
    if answers >= ALMOST_ALL * total and 2 * (total - answers) < total - images:
        yield (
            f"the model answers {name} for {answers:,} of {total:,} images, of which {images:,} "
            f"are {name}; {ADVICE}"
        )
    elif abs(evaluation.accuracy - mean) >= FAR:
        yield (
            f"accuracy is {100 * evaluation.accuracy:.1f} % of the images but "
            f"{100 * mean:.1f} % on average over the classes, which are not equally frequent"
        )
