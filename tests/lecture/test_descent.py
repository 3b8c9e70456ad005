from collections.abc import Callable

import pytest

from cnn_train.errors import UsageError
from cnn_train.lecture.descent import race
from cnn_train.lecture.timed_training import plain_session
from cnn_train.training.session import Session

Start = Callable[..., Session]


def test_minibatches_make_many_updates_while_the_full_sum_makes_one(start: Start) -> None:
    found = race(start(augment={"flip": "none", "translate": 0}), 32, 0.3)
    assert found.num_images == 32 and found.lr == 0.05
    assert found.vanilla.batch_size is None and found.minibatch.batch_size == 8
    assert found.vanilla.num_images == 32 * found.vanilla.num_updates
    assert found.minibatch.num_images == 8 * found.minibatch.num_updates


def test_by_updates_the_two_go_down_alike_and_by_images_minibatches_are_ahead(start: Start) -> None:
    """Counted in images, not in seconds, so that a busy machine changes nothing."""
    found = race(start(batch_size=4), 32, 0.5)
    seen = 6 * 32
    vanilla = {point.updates * 32: point.loss for point in found.vanilla.points}
    minibatch = {point.updates * 4: point.loss for point in found.minibatch.points}
    after = [min(c.items(), key=lambda p: abs(p[0] - seen))[1] for c in (vanilla, minibatch)]
    assert after[1] < after[0]


def test_both_begin_with_the_loss_of_all_images_at_the_first_weights(start: Start) -> None:
    found = race(start(), 32, 0)
    twin = plain_session(start(), None, 32)
    images = twin.batches.images
    scores_NK = twin.model(twin.batches.normalization(images.images_NCHW))
    first_loss = pytest.approx(twin.loss_fn(scores_NK, images.labels_N).item(), rel=1e-5)
    assert [one.points[0].loss for one in (found.vanilla, found.minibatch)] == [first_loss] * 2
    assert found.minibatch.points[0] == found.vanilla.points[0]


@pytest.mark.parametrize(
    ("batch_size", "num_images", "raced"), [(32, 32, 32), (2000, 20, 20), (2000, 5000, 32)]
)
def test_a_race_of_all_images_against_all_images_is_refused(
    start: Start, batch_size: int, num_images: int, raced: int
) -> None:
    blamed = f"batch_size {batch_size}: minibatches must be a part of the {raced} images"
    with pytest.raises(UsageError, match=blamed):
        race(start(batch_size=batch_size), num_images, 0)


def test_one_image_less_than_all_is_a_minibatch_of_just_so_many(start: Start) -> None:
    found = race(start(batch_size=31), 32, 0)
    assert found.minibatch.batch_size == 31
    assert found.minibatch.num_images == 31 * found.minibatch.num_updates
