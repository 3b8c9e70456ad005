"""Compare models on the same images: only there does one that is right more often count as better.

Shape letters: U different images.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ..data.content import UNKNOWN_IMAGES
from ..errors import DataError, name_some
from ..metrics.paired import PairTest, compare_pairs
from ..metrics.statistics import accuracy_interval
from .evaluate import Evaluation


@dataclass(frozen=True)
class Paired:
    """Models on ``num_images`` images that all of them measured and none was trained on.

    num_left_out: common images that one of them was trained on. all_known: whether it is known of
    every model which images it was trained on.
    """

    num_images: int
    num_left_out: int
    all_known: bool
    num_correct: tuple[int, ...]
    accuracy_intervals: tuple[tuple[float, float], ...]
    tests: tuple[PairTest, ...]


def compare_evaluations(evaluations: Sequence[Evaluation], seen: Sequence[Tensor]) -> Paired:
    """Test which model is better; ``seen``: the hashes U of the images each was trained on.

    Images are recognised by their pixels; equal ones of one class count once. Raises DataError,
    which says why, where there is no image to compare them on.
    """
    first, *others = [evaluation.images.class_names for evaluation in evaluations]
    if other := next((names for names in others if set(names) != set(first)), None):
        both = f"{name_some(first, 3)}; {name_some(other, 3)}"
        raise DataError(f"they know different classes ({both})")
    right = [_right_by_image(evaluation) for evaluation in evaluations]
    common = [image for image in right[0] if all(image in other for other in right)]
    if not common:
        raise DataError("no image was measured by all of them")
    trained_on = {content for hashes_U in seen for content in hashes_U.tolist()}
    kept = [image for image in common if image[0] not in trained_on]
    if not kept:
        raise DataError(f"one of them was trained on each of the {len(common):,} common images")
    answers = [[other[image] for image in kept] for other in right]
    num_correct = tuple(map(sum, answers))
    return Paired(
        len(kept),
        len(common) - len(kept),
        UNKNOWN_IMAGES not in trained_on,
        num_correct,
        tuple(accuracy_interval(number, len(kept)) for number in num_correct),
        compare_pairs(answers),
    )


def _right_by_image(evaluation: Evaluation) -> dict[tuple[int, str], bool]:
    """Return whether each image, by its hash and its class, is recognised."""
    images = evaluation.images
    classes = (images.class_names[label] for label in images.labels_N.tolist())
    right = (evaluation.predicted_N == images.labels_N).tolist()
    found = zip(images.hashes_N.tolist(), classes, right, strict=True)
    return {(content, name): is_right for content, name, is_right in found}
