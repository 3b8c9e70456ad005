"""Statistics of scores and labels: accuracy, confusion, calibration.

Shape letters: N examples, K classes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist, fmean, stdev

import torch
from torch import Tensor


def rank_classes(scores_NK: Tensor) -> Tensor:
    """Return each example's class indices NK from best to worst; of equal scores the first wins.

    The first column is what ``argmax`` gives. The scores must not hold NaN.
    """
    return scores_NK.argsort(dim=1, descending=True, stable=True)


def top_accuracy(scores_NK: Tensor, labels_N: Tensor, num_guesses: int) -> float:
    """Return the share of examples whose true class is among the ``num_guesses`` best scores."""
    guesses_NG = rank_classes(scores_NK)[:, :num_guesses]
    return (guesses_NG == labels_N[:, None]).any(dim=1).double().mean().item()


def accuracy_interval(num_correct: int, num_examples: int) -> tuple[float, float]:
    """Return Wilson's score interval of an accuracy, at 95 %.

    It stays inside [0, 1] and has a width even at 0 % and 100 %, where the usual ± is zero.
    Source: E. B. Wilson, Journal of the American Statistical Association 22 (1927), 209–212.
    """
    assert 0 <= num_correct <= num_examples and num_examples > 0
    z = NormalDist().inv_cdf(0.975)
    p, n = num_correct / num_examples, num_examples
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half_width = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    lower = centre - half_width if num_correct > 0 else 0.0  # exactly, whatever the rounding
    upper = centre + half_width if num_correct < num_examples else 1.0
    return lower, upper


@dataclass(frozen=True)
class MeanOfRuns:
    """A result over n runs that differ in their seed. sd: of a sample; None for a single run.

    interval: 95 %, of the mean, by Student's t; it holds for what is near normally distributed.
    """

    n: int
    mean: float
    sd: float | None
    interval: tuple[float, float] | None


def mean_of_runs(values: Sequence[float]) -> MeanOfRuns:
    """Return mean, standard deviation and interval of the results of one or more runs."""
    n, mean = len(values), fmean(values)
    if n == 1:
        return MeanOfRuns(n, mean, None, None)
    sd = stdev(values)
    half_width = student_t_975(n - 1) * sd / math.sqrt(n)
    return MeanOfRuns(n, mean, sd, (mean - half_width, mean + half_width))


def student_t_975(degrees: int) -> float:
    """Return the 97.5 % quantile of Student's t distribution, to six digits.

    The distribution is integrated by Simpson's rule over θ = atan(t/√ν), where it is cos(θ)^(ν−1)
    up to a constant; the quantile is found by bisection.
    """
    log_constant = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)
    constant = math.exp(log_constant) / math.sqrt(math.pi)

    def share_above_0(angle: float, pieces: int = 400) -> float:
        width = angle / pieces
        heights = [math.cos(width * i) ** (degrees - 1) for i in range(pieces + 1)]
        total = heights[0] + heights[-1] + 4 * sum(heights[1::2]) + 2 * sum(heights[2:-1:2])
        return constant * total * width / 3

    low, high = 0.0, math.pi / 2
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if share_above_0(middle) < 0.475 else (low, middle)
    return math.sqrt(degrees) * math.tan(low)


def true_class_margins(scores_NK: Tensor, labels_N: Tensor) -> Tensor:
    """Return the true class's score minus the best other one's, N; negative for a mistake."""
    true_N1 = scores_NK.gather(1, labels_N[:, None])
    others_NK = scores_NK.scatter(1, labels_N[:, None], -math.inf)
    return true_N1[:, 0] - others_NK.amax(dim=1)


def count_confusion(labels_N: Tensor, predicted_N: Tensor, num_classes: int) -> Tensor:
    """Count the pairs (true class, predicted class): int64, rows true, columns predicted."""
    pair_N = labels_N * num_classes + predicted_N
    return torch.bincount(pair_N, minlength=num_classes**2).reshape(num_classes, num_classes)


def count_by_class(labels_N: Tensor, predicted_N: Tensor, num_classes: int) -> Tensor:
    """Count each class's hits, true examples and predictions: int64, 3×K.

    They are on the device, which need not be waited for (``torch.bincount`` would wait for a GPU).
    """
    classes_K = torch.arange(num_classes, device=labels_N.device)
    true_NK, predicted_NK = labels_N[:, None] == classes_K, predicted_N[:, None] == classes_K
    return torch.stack([each.sum(0) for each in (true_NK & predicted_NK, true_NK, predicted_NK)])


def sum_by_class(confusion_KK: Tensor) -> Tensor:
    """Return the counts of :func:`count_by_class`, from the confusion matrix."""
    return torch.stack([confusion_KK.diagonal(), confusion_KK.sum(dim=1), confusion_KK.sum(dim=0)])


def balanced_accuracy(counts_3K: Tensor) -> float:
    """Return the mean recall of the classes that have examples."""
    hits_K, true_K, _ = counts_3K.cpu().double().unbind()
    return float((hits_K / true_K)[true_K > 0].mean())


def macro_f1(counts_3K: Tensor) -> float:
    """Return the mean F1 of the classes that have examples or predictions."""
    hits_K, true_K, predicted_K = counts_3K.cpu().double().unbind()
    seen_K = true_K + predicted_K
    return float((2 * hits_K / seen_K)[seen_K > 0].mean())


def macro_means(confusion_KK: Tensor) -> dict[str, float]:
    """Return the balanced accuracy and macro precision, recall and F1: each class counts alike.

    The macro means are over the classes that have examples or predictions; what cannot be divided
    counts as 0 there, as with scikit-learn's ``zero_division=0``.
    """
    counts_3K = sum_by_class(confusion_KK)
    hits_K, true_K, predicted_K = counts_3K.double().unbind()
    seen_K = true_K + predicted_K > 0
    precision_K, recall_K = (hits_K / each_K.clamp(min=1) for each_K in (predicted_K, true_K))
    return {
        "balanced_accuracy": balanced_accuracy(counts_3K),
        "macro_precision": float(precision_K[seen_K].mean()),
        "macro_recall": float(recall_K[seen_K].mean()),
        "macro_f1": macro_f1(counts_3K),
    }


@dataclass(frozen=True)
class ClassStatistics:
    """How well one class is recognised; None where the divisor is zero.

    accuracy: share of its ``num_examples`` images that were recognised (recall).
    precision: share of its predictions that were right. f1: the two's harmonic mean.
    """

    label: str
    num_examples: int
    accuracy: float | None
    precision: float | None
    f1: float | None


def measure_classes(
    confusion_KK: Tensor, class_names: tuple[str, ...]
) -> tuple[ClassStatistics, ...]:
    """Return every class's statistics, from the confusion matrix."""
    return tuple(
        ClassStatistics(
            label=label,
            num_examples=true,
            accuracy=_ratio(hit, true),
            precision=_ratio(hit, predicted),
            f1=_ratio(2 * hit, true + predicted),
        )
        for label, hit, true, predicted in zip(
            class_names, *sum_by_class(confusion_KK).tolist(), strict=True
        )
    )


def _ratio(numerator: int, denominator: int) -> float | None:
    return numerator / denominator if denominator else None


@dataclass(frozen=True)
class CalibrationBin:
    """The examples whose confidence lies in (lower, upper]; what has no meaning is None.

    accuracy_interval: 95 % (Wilson), wide in a bin of few examples.
    """

    lower: float
    upper: float
    num_examples: int
    mean_confidence: float | None
    accuracy: float | None
    accuracy_interval: tuple[float, float] | None


@dataclass(frozen=True)
class Calibration:
    """How far a model's confidence is from its accuracy, bin by bin.

    expected_error: mean of |accuracy − confidence| over the bins, weighted by their examples.
    """

    expected_error: float
    bins: tuple[CalibrationBin, ...]


NUM_BINS = 15


def measure_calibration(confidence_N: Tensor, correct_N: Tensor) -> Calibration:
    """Sort predictions into equal bins of confidence in [0, 1] and compare it with accuracy.

    A bin owns its upper edge, so confidence 1.0 falls into the last bin.
    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 3.
    """
    edges = torch.arange(NUM_BINS + 1, dtype=torch.float64) / NUM_BINS
    bin_N = torch.bucketize(confidence_N.double(), edges[1:-1])
    bins, gaps = [], []
    for i, (lower, upper) in enumerate(pairwise(edges.tolist())):
        confidence_M, correct_M = confidence_N[bin_N == i].double(), correct_N[bin_N == i].double()
        number = len(correct_M)
        if number == 0:
            bins.append(CalibrationBin(lower, upper, 0, None, None, None))
            continue
        confidence, accuracy = confidence_M.mean().item(), correct_M.mean().item()
        interval = accuracy_interval(int(correct_M.sum()), number)
        gaps.append(abs(accuracy - confidence) * number)
        bins.append(CalibrationBin(lower, upper, number, confidence, accuracy, interval))
    return Calibration(sum(gaps) / len(confidence_N), tuple(bins))
