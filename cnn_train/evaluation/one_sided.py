"""Say where an accuracy tells too little, because the classes fare very differently."""

from collections.abc import Iterator

from ..metrics.statistics import balanced_accuracy, sum_by_class
from ..page import percent
from .evaluate import Evaluation

MOST = 0.8
"""The share of the answers from which on one class is said to have most of them."""

FAR = 0.1
"""How far accuracy and its mean over the classes may lie apart."""

ADVICE = "loss.weights: balanced or data.sampling: balanced trains all classes alike"


def describe_one_sidedness(evaluation: Evaluation) -> Iterator[str]:
    """Yield, in at most one line, that one class has most answers, or that classes differ much.

    Where most images are of that class, a model that answers so is right: then the other classes
    must have fewer than half as many answers as images.
    """
    counts_3K = sum_by_class(evaluation.confusion_KK)
    _, true_K, predicted_K = counts_3K
    top, total = int(predicted_K.argmax()), len(evaluation.images)
    answers, images = int(predicted_K[top]), int(true_K[top])
    name = evaluation.images.class_names[top]
    mean = balanced_accuracy(counts_3K)
    if answers >= MOST * total and 2 * (total - answers) < total - images:
        yield (
            f"the model answers {name} for {answers:,} of {total:,} images, of which {images:,} "
            f"are {name}; {ADVICE}"
        )
    elif abs(evaluation.accuracy - mean) >= FAR:
        yield (
            f"accuracy is {percent(evaluation.accuracy)} of the images but {percent(mean)} "
            "on average over the classes, which are not equally frequent"
        )
