"""A paired test on images that both measured and neither was trained on, counted by hand."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from cnn_train.data.content import UNKNOWN_IMAGES
from cnn_train.data.image_set import ImageSet
from cnn_train.errors import DataError
from cnn_train.evaluation.paired import compare_evaluations
from cnn_train.metrics.paired import PairTest, mcnemar

NOTHING = torch.empty(0, dtype=torch.int64)


def judged(images: ImageSet, wrong: Sequence[int] = ()) -> Any:
    """Return an evaluation in which all images but ``wrong`` are recognised."""
    predicted_N = images.labels_N.clone()
    predicted_N[list(wrong)] = (predicted_N[list(wrong)] + 1) % len(images.class_names)
    return SimpleNamespace(images=images, predicted_N=predicted_N)


@pytest.fixture
def images(make_images: Callable[..., ImageSet]) -> ImageSet:
    return make_images(12)


def test_only_images_on_which_exactly_one_is_right_tell(images: ImageSet) -> None:
    a, b = judged(images, [0, 1, 2]), judged(images, [2, 3])
    found = compare_evaluations([a, b], [NOTHING, NOTHING])
    assert (found.num_images, found.num_correct, found.num_left_out) == (12, (9, 10), 0)
    assert found.tests == (PairTest(0, 1, 1, 2, mcnemar(1, 2)),)
    assert found.all_known
    low, high = found.accuracy_intervals[0]
    assert low < 9 / 12 < high


def test_images_are_matched_by_their_pixels_whatever_their_order_name_and_number(
    images: ImageSet,
) -> None:
    some = replace(images.select([7, 3, 11, 0, 5]), names=tuple("abcde"))
    found = compare_evaluations([judged(images, [3]), judged(some, [0, 4])], [NOTHING, NOTHING])
    assert found.num_images == 5
    assert found.num_correct == (4, 3)  # the first errs on 3; the second on 7 and 5
    assert (found.tests[0].only_first, found.tests[0].only_second) == (2, 1)


def test_classes_are_matched_by_name_and_equal_images_count_once(images: ImageSet) -> None:
    turned = images.relabel(tuple(reversed(images.class_names)), "turned")
    doubled = turned.select([*range(12), 0, 0])
    found = compare_evaluations([judged(images), judged(doubled)], [NOTHING, NOTHING])
    assert (found.num_images, found.num_correct) == (12, (12, 12))


def test_an_image_that_one_of_them_was_trained_on_is_left_out(images: ImageSet) -> None:
    seen = [images.hashes_N[:3], images.hashes_N[2:5]]
    both = [judged(images, [0]), judged(images, [8])]
    found = compare_evaluations(both, seen)
    assert (found.num_images, found.num_left_out, found.num_correct) == (7, 5, (7, 6))
    unknown = torch.tensor([UNKNOWN_IMAGES])
    assert not compare_evaluations(both, [unknown, NOTHING]).all_known


def test_why_there_is_nothing_to_compare_on_is_said(
    images: ImageSet, make_images: Callable[..., ImageSet]
) -> None:
    both = [judged(images), judged(images)]
    with pytest.raises(DataError, match="trained on each of the 12 common images"):
        compare_evaluations(both, [images.hashes_N[:6], images.hashes_N[6:]])
    with pytest.raises(DataError, match="no image was measured by all"):
        compare_evaluations([judged(images), judged(make_images(12, seed=9))], [NOTHING] * 2)
    with pytest.raises(DataError, match="different classes"):
        compare_evaluations([judged(images), judged(make_images(12, 2))], [NOTHING] * 2)
