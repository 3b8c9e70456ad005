from types import SimpleNamespace

import torch

from cnn_train.data.image_set import ImageSet
from cnn_train.evaluation.one_sided import describe_one_sidedness


def doubts(*confusion: list[int]) -> list[str]:
    """Return what is said of a confusion matrix of the classes cat, dog and owl."""
    confusion_KK = torch.tensor(confusion)
    total = int(confusion_KK.sum())
    pixels, labels_N = torch.zeros(total, 1, 1, 1).byte(), torch.zeros(total).long()
    images = ImageSet(pixels, labels_N, ("cat", "dog", "owl"), ("",) * total)
    accuracy = int(confusion_KK.diagonal().sum()) / total
    parts = {"confusion_KK": confusion_KK, "images": images, "accuracy": accuracy}
    return list(describe_one_sidedness(SimpleNamespace(**parts)))


def test_a_model_that_mostly_answers_one_class_is_told_what_trains_the_others() -> None:
    assert doubts([0, 40, 0], [1, 39, 0], [0, 39, 1]) == [
        "the model answers dog for 118 of 120 images, of which 40 are dog; loss.weights: balanced "
        "or data.sampling: balanced trains all classes alike"
    ]
    assert len(doubts([0, 4, 0], [0, 92, 0], [0, 4, 0])) == 1  # almost all are dogs, but not all


def test_a_model_that_is_right_is_no_doubt_however_rare_the_classes_are() -> None:
    assert doubts([2, 0, 0], [0, 96, 0], [0, 0, 2]) == []
    assert doubts([1, 1, 0], [0, 96, 0], [0, 0, 2]) == [
        "accuracy is 99.0 % of the images but 83.3 % on average over the classes, which are not "
        "equally frequent"
    ]


def test_classes_that_fare_alike_on_average_are_no_doubt() -> None:
    assert doubts([30, 10, 0], [10, 30, 0], [40, 0, 0]) == []
    assert doubts([30, 2, 0], [2, 30, 0], [0, 0, 0]) == []  # a class without images
