from collections.abc import Callable

import pytest

from cnn_train.errors import UsageError
from cnn_train.lecture.descent import race
from cnn_train.lecture.timed_training import plain_session
from cnn_train.training.session import Session

Start = Callable[..., Session]


@pytest.mark.parametrize("batch_size", [8, 31])
def test_an_update_takes_all_images_or_exactly_one_minibatch(start: Start, batch_size: int) -> None:
    both = race(start(batch_size=batch_size), 32, 0)
    assert both.num_images == 32 and both.lr == 0.05
    assert both.vanilla.batch_size is None and both.minibatch.batch_size == batch_size
    assert both.vanilla.num_images == 32 * both.vanilla.num_updates
    assert both.minibatch.num_images == batch_size * both.minibatch.num_updates


def test_after_the_same_number_of_images_minibatches_are_ahead(start: Start) -> None:
    """Counted in images, not in seconds, so that a busy machine changes nothing."""
    both = race(start(batch_size=4), 32, 0.5)
    seen = 6 * 32
    vanilla = min(both.vanilla.points, key=lambda point: abs(point.updates * 32 - seen))
    minibatch = min(both.minibatch.points, key=lambda point: abs(point.updates * 4 - seen))
    assert minibatch.loss < vanilla.loss


def test_both_begin_with_the_loss_of_all_images_at_the_first_weights(start: Start) -> None:
    both = race(start(), 32, 0)
    twin = plain_session(start(), None, 32)
    images = twin.batches.images
    scores_NK = twin.model(twin.batches.normalization(images.images_NCHW))
    first_loss = pytest.approx(twin.loss_fn(scores_NK, images.labels_N).item(), rel=1e-5)
    assert both.vanilla.points[0].loss == first_loss
    assert both.minibatch.points[0] == both.vanilla.points[0]


@pytest.mark.parametrize(
    ("batch_size", "num_images", "raced"), [(32, 32, 32), (2000, 20, 20), (2000, 5000, 32)]
)
def test_a_race_of_all_images_against_all_images_is_refused(
    start: Start, batch_size: int, num_images: int, raced: int
) -> None:
    blamed = f"batch_size {batch_size}: minibatches must be a part of the {raced} images"
    with pytest.raises(UsageError, match=blamed):
        race(start(batch_size=batch_size), num_images, 0)
