import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_train.metrics.statistics import (
    accuracy_interval,
    balanced_accuracy,
    count_by_class,
    count_confusion,
    macro_f1,
    macro_means,
    mean_of_runs,
    measure_calibration,
    measure_classes,
    rank_classes,
    student_t_975,
    top_accuracy,
    true_class_margins,
)


def random_scores(num_examples: int = 200, num_classes: int = 7, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    scores_NK = torch.randn(num_examples, num_classes, generator=generator)
    labels_N = torch.randint(num_classes, (num_examples,), generator=generator)
    return scores_NK, labels_N


def test_equal_scores_are_ranked_by_class_index_so_that_rank_one_is_argmax():
    scores_NK = torch.tensor([[1.0, 2.0, 2.0], [0.0, 0.0, 0.0], [3.0, 1.0, 3.0]])
    assert rank_classes(scores_NK).tolist() == [[1, 2, 0], [0, 1, 2], [0, 2, 1]]
    assert torch.equal(rank_classes(scores_NK)[:, 0], scores_NK.argmax(dim=1))


@pytest.mark.parametrize("num_guesses", [1, 3, 5])
def test_top_accuracy_equals_a_plain_loop(num_guesses):
    scores_NK, labels_N = random_scores()
    hits = 0
    for scores, label in zip(scores_NK.tolist(), labels_N.tolist(), strict=True):
        best_first = sorted(range(len(scores)), key=lambda k: -scores[k])
        hits += label in best_first[:num_guesses]
    assert top_accuracy(scores_NK, labels_N, num_guesses) == hits / len(labels_N)


@pytest.mark.parametrize(
    ("num_correct", "num_examples"), [(90, 100), (1, 7), (5000, 10000), (3, 3)]
)
def test_wilsons_limits_solve_its_defining_equation(num_correct, num_examples):
    p = num_correct / num_examples
    for limit in accuracy_interval(num_correct, num_examples):
        standard_error = math.sqrt(limit * (1 - limit) / num_examples)
        assert abs(p - limit) == pytest.approx(1.959963984540054 * standard_error, abs=1e-12)


def test_wilsons_interval_equals_the_published_worked_example():
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263 gives 0.2553 to 0.3662.
    lower, upper = accuracy_interval(81, 263)
    assert (round(lower, 4), round(upper, 4)) == (0.2553, 0.3662)


def test_the_interval_has_width_at_zero_and_at_one():
    assert accuracy_interval(0, 20) == (0.0, pytest.approx(0.1611, abs=1e-4))
    assert accuracy_interval(20, 20) == (pytest.approx(0.8389, abs=1e-4), 1.0)


@settings(deadline=None)
@given(st.integers(1, 10**6), st.floats(0, 1))
def test_the_interval_holds_the_accuracy_and_stays_within_zero_and_one(num_examples, share):
    num_correct = round(share * num_examples)
    lower, upper = accuracy_interval(num_correct, num_examples)
    assert 0 <= lower <= num_correct / num_examples <= upper <= 1


def test_margins_are_true_score_minus_best_other_score():
    scores_NK = torch.tensor([[3.0, 1.0, 2.5], [3.0, 1.0, 2.5], [1.0, 1.0, 0.0]])
    assert true_class_margins(scores_NK, torch.tensor([0, 1, 0])).tolist() == [0.5, -2.0, 0.0]


def test_confusion_has_rows_of_true_and_columns_of_predicted_classes():
    labels_N, predicted_N = torch.tensor([0, 0, 0, 2]), torch.tensor([0, 1, 1, 0])
    confusion_KK = count_confusion(labels_N, predicted_N, 3)
    assert confusion_KK.tolist() == [[1, 2, 0], [0, 0, 0], [1, 0, 0]]


def test_class_statistics_equal_plain_counting():
    scores_NK, labels_N = random_scores()
    names = tuple("abcdefg")
    predicted = scores_NK.argmax(dim=1).tolist()
    truth = labels_N.tolist()
    results = measure_classes(count_confusion(labels_N, scores_NK.argmax(dim=1), 7), names)
    for k, result in enumerate(results):
        hits = sum(t == p == k for t, p in zip(truth, predicted, strict=True))
        recall, precision = hits / truth.count(k), hits / predicted.count(k)
        assert (result.label, result.num_examples) == (names[k], truth.count(k))
        assert result.accuracy == pytest.approx(recall)
        assert result.precision == pytest.approx(precision)
        assert result.f1 == pytest.approx(2 * recall * precision / (recall + precision))


def test_what_cannot_be_divided_is_none_and_never_nan():
    confusion_KK = torch.tensor([[0, 4, 0], [0, 2, 0], [0, 0, 0]])
    missed, found, absent = measure_classes(confusion_KK, ("missed", "found", "absent"))
    assert (missed.accuracy, missed.precision, missed.f1) == (0.0, None, 0.0)
    assert (found.accuracy, found.precision, found.f1) == (1.0, 2 / 6, 4 / 8)
    assert (absent.accuracy, absent.precision, absent.f1) == (None, None, None)


def test_certain_and_right_is_perfectly_calibrated_and_certain_and_wrong_perfectly_not():
    assert measure_calibration(torch.ones(3), torch.ones(3, dtype=torch.bool)).expected_error == 0
    assert measure_calibration(torch.ones(3), torch.zeros(3, dtype=torch.bool)).expected_error == 1


@pytest.mark.parametrize("edge", range(1, 16))
def test_every_bin_owns_its_upper_edge(edge):
    confidence_N = torch.tensor([edge / 15], dtype=torch.float64)
    bins = measure_calibration(confidence_N, torch.tensor([True])).bins
    assert [b.num_examples for b in bins].index(1) == edge - 1
    assert bins[edge - 1].upper == edge / 15


def test_confidence_zero_counts_in_the_first_bin():
    bins = measure_calibration(torch.zeros(1), torch.tensor([True])).bins
    assert bins[0].num_examples == 1


@pytest.mark.parametrize("sharpness", [0.1, 1.0, 30.0])
def test_calibration_error_equals_a_plain_loop(sharpness):
    scores_NK, labels_N = random_scores(seed=3)
    confidence_N, predicted_N = (scores_NK * sharpness).double().softmax(dim=1).max(dim=1)
    correct_N = predicted_N == labels_N
    members = [[] for _ in range(15)]
    for confidence, correct in zip(confidence_N.tolist(), correct_N.tolist(), strict=True):
        members[next(i for i in range(15) if confidence <= (i + 1) / 15)].append(
            (confidence, correct)
        )
    error = 0.0
    for rows in filter(None, members):
        gap = abs(sum(r for _, r in rows) / len(rows) - sum(c for c, _ in rows) / len(rows))
        error += gap * len(rows) / len(labels_N)
    calibration = measure_calibration(confidence_N, correct_N)
    assert calibration.expected_error == pytest.approx(error, abs=1e-12)
    assert [b.num_examples for b in calibration.bins] == [len(rows) for rows in members]


# Rows true, columns predicted. Class d has no example, class e neither example nor prediction.
CONFUSION = [[3, 1, 0, 0, 0], [2, 4, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]


def test_balanced_accuracy_and_macro_f1_are_those_worked_out_by_hand():
    pairs = [
        pair
        for true, row in enumerate(CONFUSION)
        for predicted, count in enumerate(row)
        for pair in [(true, predicted)] * count
    ]
    labels_N, predicted_N = torch.tensor(pairs).unbind(1)
    counts_3K = count_by_class(labels_N, predicted_N, 5)
    assert counts_3K.tolist() == [[3, 4, 1, 0, 0], [4, 6, 2, 0, 0], [5, 5, 1, 1, 0]]
    assert balanced_accuracy(counts_3K) == pytest.approx((3 / 4 + 4 / 6 + 1 / 2) / 3)
    # F1 from precision and recall: 2pr / (p + r); class d's precision is 0.
    a, b, c = ((3 / 5, 3 / 4), (4 / 5, 4 / 6), (1, 1 / 2))
    f1s = [2 * p * r / (p + r) for p, r in (a, b, c)] + [0]
    assert macro_f1(counts_3K) == pytest.approx(sum(f1s) / 4)


def test_macro_means_are_those_worked_out_by_hand_and_what_cannot_be_divided_is_0():
    # Class b is never predicted, class d is predicted but has no example.
    confusion_KK = torch.tensor([[3, 0, 1, 0], [2, 0, 2, 0], [0, 0, 1, 1], [0, 0, 0, 0]])
    precisions, recalls = [3 / 5, 0, 1 / 4, 0], [3 / 4, 0, 1 / 2, 0]
    f1s = [2 * 0.6 * 0.75 / 1.35, 0, 2 * 0.25 * 0.5 / 0.75, 0]
    assert macro_means(confusion_KK) == {
        "balanced_accuracy": pytest.approx((3 / 4 + 0 + 1 / 2) / 3),
        "macro_precision": pytest.approx(sum(precisions) / 4),
        "macro_recall": pytest.approx(sum(recalls) / 4),
        "macro_f1": pytest.approx(sum(f1s) / 4),
    }


def test_a_class_without_images_and_predictions_changes_no_macro_mean():
    confusion_KK = torch.tensor([[3, 1, 2], [0, 5, 1], [1, 0, 4]])
    with_absent_KK = torch.zeros(4, 4, dtype=torch.int64)
    with_absent_KK[:3, :3] = confusion_KK
    assert macro_means(with_absent_KK) == pytest.approx(macro_means(confusion_KK))


@pytest.mark.parametrize(
    ("degrees", "quantile"),
    [(1, 12.7062), (2, 4.30265), (4, 2.77645), (9, 2.26216), (30, 2.04227), (1000, 1.96234)],
)
def test_students_quantile_is_that_of_the_tables(degrees: int, quantile: float) -> None:
    assert student_t_975(degrees) == pytest.approx(quantile, rel=1e-5)


def test_the_mean_of_runs_has_the_spread_of_a_sample() -> None:
    """By hand: of 1, 2 and 3 the mean is 2, the sd 1, and t of two degrees 4.30265."""
    result = mean_of_runs([1.0, 2.0, 3.0])
    assert (result.n, result.mean, result.sd) == (3, 2.0, 1.0)
    assert result.interval is not None
    assert result.interval[1] == pytest.approx(2 + 4.30265 / 3**0.5, rel=1e-5)
    single = mean_of_runs([0.5])
    assert (single.mean, single.sd, single.interval) == (0.5, None, None)
