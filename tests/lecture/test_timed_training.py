from collections.abc import Callable
from itertools import count, islice

import pytest
import torch

from cnn_train.errors import DivergedError, UsageError
from cnn_train.lecture import timed_training
from cnn_train.lecture.timed_training import (
    LEAST_UPDATES,
    MORE_UPDATES,
    MOST_POINTS,
    Point,
    loss_of_all,
    plain_session,
    some_images,
    thin_out,
    timed_updates,
    train_for,
)
from cnn_train.training.session import Session

Start = Callable[..., Session]


def test_all_sizes_start_from_the_same_weights_images_and_rate(start: Start) -> None:
    session = start(
        optimizer={"name": "sgd", "lr": 0.07}, data_selection={"keep": 0.5, "from_epoch": 1}
    )
    sessions = [plain_session(session, size, 20) for size in (4, 16, None)]
    first = sessions[0]
    for other in sessions:
        pairs = zip(first.model.parameters(), other.model.parameters(), strict=True)
        assert all(torch.equal(one, two) for one, two in pairs)
        assert other.batches.images.names == first.batches.images.names
        assert len(other.batches.images) == 20
        (group,) = other.optimizer.param_groups
        assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.07, 0, 0)
        assert {other.schedule(i) for i in range(3)} == {1.0}
    plans = [session.batches.plan(9) for session in sessions]
    assert [sum(piece.completes_update for piece in plan) for plan in plans] == [5, 1, 1]


@pytest.mark.parametrize("batch_size", [1, 7, 16, 19, 20])
def test_every_minibatch_is_of_the_size_that_is_named(start: Start, batch_size: int) -> None:
    """20 images: what an epoch leaves over belongs to another epoch."""
    session = plain_session(start(), batch_size, 20)
    sizes = [len(batch.labels_B) for batch in session.batches.epoch(0)]
    assert sizes == [batch_size] * (20 // batch_size)
    seen = {i for epoch in range(60) for p in range(len(sizes))
            for i in session.batches.examples_of(epoch, p)}  # fmt: skip
    assert seen == set(range(20))


def test_a_curve_of_full_batches_holds_the_losses_of_gradient_descent(start: Start) -> None:
    """Against steps that are made here, without the loop."""
    session = plain_session(start(), None, 12)
    images, twin = session.batches.images, plain_session(start(), None, 12)
    losses = []
    for _ in range(LEAST_UPDATES + 1 + MORE_UPDATES):
        inputs_BCHW = twin.batches.normalization(images.images_NCHW)
        loss = twin.loss_fn(twin.model(inputs_BCHW), images.labels_N)
        losses.append(loss.item())
        weights = list(twin.model.parameters())
        gradients = torch.autograd.grad(loss + twin.penalty(), weights)
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                weight -= 0.05 * gradient
    curve = train_for(session, 0, loss_of_all(session), session.batches)
    assert curve.num_updates == LEAST_UPDATES and curve.batch_size is None
    assert [point.loss for point in curve.points[:-1]] == pytest.approx(losses[:2], rel=1e-4)
    assert curve.last_losses == pytest.approx(losses[2:], rel=1e-4)
    assert curve.last_loss == pytest.approx(sum(losses[2:]) / len(losses[2:]), rel=1e-4)
    assert [point.updates for point in curve.points] == [0, 1, 2]
    assert curve.points[0].seconds == 0 < curve.points[1].seconds < curve.seconds
    assert curve.num_images == 24


def test_training_lasts_about_as_long_as_was_asked_for(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that goes on a quarter of a second at every look, which is one per update."""
    looks = count()
    monkeypatch.setattr(timed_training, "now", lambda device: next(looks) / 4)
    own = plain_session(start(), 8, 32)
    curve = train_for(own, 2, 2.5, own.batches)
    assert (curve.seconds, curve.num_updates) == (2.0, 8)
    assert curve.num_images == 8 * curve.num_updates
    assert curve.seconds_per_update == curve.seconds / curve.num_updates
    assert curve.last_loss < curve.points[0].loss


def test_a_loss_belongs_to_the_moment_before_its_update(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([10.0, 10.5, 11.5, 12.0])
    monkeypatch.setattr(timed_training, "now", lambda device: next(clock))
    session = plain_session(start(), 4, 20)
    found = [(p.updates, p.seconds, end) for p, end in islice(timed_updates(session), 3)]
    assert found == [(0, 0.0, 0.5), (1, 0.5, 1.5), (2, 1.5, 2.0)]


def test_many_points_become_few_by_averaging_neighbours_but_for_the_first() -> None:
    points = [Point(i, i / 10, 100.0 - i) for i in range(1 + 3 * MOST_POINTS)]
    thin = thin_out(points)
    assert len(thin) <= MOST_POINTS + 1
    assert thin[0] == points[0]
    size = -(-len(points) // MOST_POINTS)
    middle = (1 + size) / 2
    assert (thin[1].updates, thin[1].loss) == (middle, 100 - middle)
    assert thin_out(points[:5]) == tuple(points[:5])


@pytest.mark.parametrize(("size", "images"), [(8, "8 images"), (1, "1 image")])
def test_a_rate_that_diverges_is_one_line_of_advice(start: Start, size: int, images: str) -> None:
    session = plain_session(start(optimizer={"name": "sgd", "lr": 1e30}), size, 32)
    with pytest.raises(DivergedError, match=f"with {images} per update; choose a smaller rate"):
        train_for(session, 0.1, 2.5, session.batches)


@pytest.mark.parametrize("num_images", [3, 17, 100])
def test_some_images_have_every_class_among_them(start: Start, num_images: int) -> None:
    images = start().batches.images
    classes = set(images.labels_N.tolist())
    for seed in range(5):
        few = some_images(images, num_images, seed)
        assert len(few) == min(num_images, len(images)) and set(few.labels_N.tolist()) == classes
        assert len(set(few.names)) == len(few)
        assert few.names == some_images(images, num_images, seed).names


def test_fewer_images_than_classes_blame_the_option(start: Start) -> None:
    with pytest.raises(UsageError, match=r"--images 2: there are 3 classes; take at least one of"):
        some_images(start().batches.images, 2, 0)


@pytest.mark.parametrize("batch_size", [7, 20])
def test_the_last_loss_is_of_all_images_whatever_an_update_takes(
    start: Start, batch_size: int
) -> None:
    """With a rate that moves nothing it is the first one; the two of 7 leave six images out."""
    session = start(optimizer={"name": "sgd", "lr": 1e-12})
    full = plain_session(session, None, 20)
    first_loss = loss_of_all(full)
    curve = train_for(plain_session(session, batch_size, 20), 0, first_loss, full.batches)
    assert curve.last_losses == pytest.approx((first_loss,) * (1 + MORE_UPDATES), rel=1e-5)
    assert curve.last_spread < 1e-5
