from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnn_train.data.augment.augmentation import Augmentation
from cnn_train.data.augment.settings import AugmentConfig
from cnn_train.data.batches import Batch, TrainingBatches, evaluation_batches, plan_epoch
from cnn_train.data.image_set import ImageSet
from cnn_train.data.normalization import Normalization
from cnn_train.data.progressive_size import ProgressiveSizeConfig
from cnn_train.machine.processes import World

UNCHANGED = AugmentConfig(flip="none", translate=0, cutout=0).build()
BYTES = Normalization((0.0,), (1 / 255,))  # the network would see levels from 0 to 255

num_examples = st.integers(1, 400)
batch_sizes = st.integers(1, 150)


def numbered_images(num: int) -> ImageSet:
    """Make images of which every pixel, and the label, is the image's own number."""
    numbers_N = torch.arange(num)
    images_NCHW = numbers_N[:, None, None, None].expand(-1, 1, 4, 4).to(torch.uint8)
    names = tuple(str(number) for number in range(num))
    return ImageSet(images_NCHW.contiguous(), numbers_N, names, names)


def make_batches(
    num: int, batch_size: int, augment: Augmentation = UNCHANGED, seed: int = 0
) -> TrainingBatches:
    plan = plan_epoch(num, batch_size)
    return TrainingBatches(numbered_images(num), BYTES, augment, seed, lambda epoch: plan)


def labels_of(batches: list[Batch]) -> list[int]:
    return torch.cat([batch.labels_B for batch in batches]).tolist()


@given(num_examples, batch_sizes, st.booleans())
def test_the_minibatches_of_a_plan_meet_without_gap_or_overlap(
    num: int, batch_size: int, full_batch: bool
) -> None:
    plan = plan_epoch(num, batch_size, full_batch=full_batch)
    assert plan[0].start == 0
    assert plan[-1].stop == num
    assert all(piece.stop == following.start for piece, following in pairwise(plan))


@given(num_examples, st.integers(2, 150))
def test_a_remainder_of_one_example_joins_the_minibatch_before_it(
    num: int, batch_size: int
) -> None:
    sizes = [piece.stop - piece.start for piece in plan_epoch(num, batch_size)]
    assert all(size == batch_size for size in sizes[:-1])
    assert num == 1 or 2 <= sizes[-1] <= batch_size + 1


def test_minibatches_of_one_example_are_left_alone() -> None:
    assert [piece.stop - piece.start for piece in plan_epoch(5, 1)] == [1] * 5


@given(num_examples, batch_sizes)
def test_the_shares_of_a_full_batch_sum_to_one_and_only_its_last_piece_completes_the_update(
    num: int, batch_size: int
) -> None:
    plan = plan_epoch(num, batch_size, full_batch=True)
    assert sum(piece.share for piece in plan) == pytest.approx(1, abs=1e-12)
    assert all(piece.share == (piece.stop - piece.start) / num for piece in plan)
    assert [piece.completes_update for piece in plan] == [False] * (len(plan) - 1) + [True]


@given(num_examples, st.integers(1, 60), st.integers(1, 7))
def test_accumulated_minibatches_make_the_updates_of_minibatches_as_large_as_all_of_them(
    num: int, batch_size: int, accumulate: int
) -> None:
    plan = plan_epoch(num, batch_size, accumulate=accumulate)
    ends = [0, *(piece.stop for piece in plan if piece.completes_update)]
    large = plan_epoch(num, batch_size * accumulate)
    if batch_size > 1:  # minibatches of one image take no remainder in
        assert ends == [0, *(piece.stop for piece in large)]
    assert [replace(piece, share=1.0, completes_update=True) for piece in plan] == list(
        plan_epoch(num, batch_size)
    )
    for start, stop in pairwise(ends):
        own = [piece for piece in plan if start <= piece.start < stop]
        assert sum(piece.share for piece in own) == pytest.approx(1, abs=1e-12)
        assert all(piece.share == (piece.stop - piece.start) / (stop - start) for piece in own)


def test_a_limit_counts_minibatches_and_the_last_update_takes_what_is_left() -> None:
    plan = plan_epoch(100, 10, accumulate=4, limit=6)
    assert [piece.share for piece in plan] == [0.25] * 4 + [0.5] * 2
    assert [i for i, piece in enumerate(plan) if piece.completes_update] == [3, 5]


def test_every_minibatch_of_stochastic_descent_is_an_update_of_its_own() -> None:
    assert all(piece.share == 1 and piece.completes_update for piece in plan_epoch(100, 30))


def test_a_limited_full_batch_is_still_one_whole_update() -> None:
    plan = plan_epoch(100, 10, full_batch=True, limit=3)
    assert [(piece.start, piece.stop) for piece in plan] == [(0, 10), (10, 20), (20, 30)]
    assert sum(piece.share for piece in plan) == pytest.approx(1, abs=1e-12)
    assert [piece.completes_update for piece in plan] == [False, False, True]


@pytest.mark.parametrize("num", [40, 41, 45])
def test_an_epoch_holds_every_example_exactly_once(num: int) -> None:
    batches = list(make_batches(num, 10).epoch(0))
    assert sorted(labels_of(batches)) == list(range(num))


def test_pixels_stay_with_their_labels() -> None:
    for batch in make_batches(40, 7).epoch(2):
        levels_B = batch.images_BCHW.mean((1, 2, 3)).round().long()
        assert torch.equal(levels_B, batch.labels_B)


@pytest.mark.parametrize("first", [0, 1, 3, 4, 5])
def test_an_epoch_entered_midway_goes_on_with_the_very_same_minibatches(first: int) -> None:
    batches = make_batches(50, 10, AugmentConfig(flip="random", translate=2, cutout=2).build())
    whole, rest = list(batches.epoch(3)), list(batches.epoch(3, first))
    assert len(rest) == 5 - first
    for expected, found in zip(whole[first:], rest, strict=True):
        assert torch.equal(found.images_BCHW, expected.images_BCHW)
        assert torch.equal(found.labels_B, expected.labels_B)


def test_epochs_differ_in_order_and_in_augmentation() -> None:
    batches = make_batches(50, 50, AugmentConfig(flip="none", translate=0, cutout=2).build())
    (first,), (second,) = batches.epoch(0), batches.epoch(1)
    assert not torch.equal(first.labels_B, second.labels_B)
    in_order = [batch.images_BCHW[batch.labels_B.argsort()] for batch in (first, second)]
    assert not torch.equal(*in_order)


def test_minibatches_of_one_epoch_are_augmented_differently() -> None:
    batches = make_batches(40, 20, AugmentConfig(flip="none", translate=0, cutout=2).build())
    white = torch.full_like(batches.images.images_NCHW, 255)
    batches = replace(batches, images=replace(batches.images, images_NCHW=white))
    first, second = (batch.images_BCHW for batch in batches.epoch(0))
    assert first.min() < 1  # the black squares
    assert not torch.equal(first, second)


@pytest.mark.parametrize("batch_size", [3, 20, 40])
def test_an_images_changes_depend_neither_on_the_batch_size_nor_on_the_processes(
    batch_size: int,
) -> None:
    augment = AugmentConfig(flip="random", translate=2, cutout=2).build()

    def images_of(batches: TrainingBatches) -> torch.Tensor:
        made = list(batches.epoch(1))
        images_NCHW = torch.cat([batch.images_BCHW for batch in made])
        return images_NCHW[torch.cat([batch.labels_B for batch in made]).argsort()]

    expected = images_of(make_batches(40, 8, augment))
    assert torch.equal(images_of(make_batches(40, batch_size, augment)), expected)
    batches = make_batches(40, batch_size, augment)
    parts = [replace(batches, world=World(rank, 2)) for rank in range(2)]
    together = [batch for part in parts for batch in part.epoch(1)]
    by_label = torch.cat([batch.labels_B for batch in together]).argsort()
    assert torch.equal(torch.cat([b.images_BCHW for b in together])[by_label], expected)


EVERYTHING = AugmentConfig(
    flip="random", translate=1, cutout=2, rotation=20, crop_scale=(0.3, 1.0), trivial_augment=True,
    erasing=0.5, brightness=0.1, mixup=1.0, cutmix=1.0,
).build()  # fmt: skip


def test_each_image_is_mixed_with_the_next_of_its_minibatch_and_the_last_with_the_first() -> None:
    for batch in make_batches(23, 5, AugmentConfig(translate=0, mixup=1.0).build()).epoch(1):
        assert batch.index_B is not None and batch.mixed is not None
        own_B, other_B = batch.index_B, batch.index_B.roll(-1)
        swapped_B = batch.labels_B != own_B
        assert torch.equal(torch.where(swapped_B, other_B, own_B), batch.labels_B)
        assert torch.equal(torch.where(swapped_B, own_B, other_B), batch.mixed.labels_B)
        share_B = torch.where(swapped_B, 1 - batch.mixed.share_B, batch.mixed.share_B)
        expected_B = (1 - share_B) * own_B + share_B * other_B  # the pixels are the number
        torch.testing.assert_close(batch.images_BCHW.mean((1, 2, 3)), expected_B)
        assert batch.images_BCHW.shape == (len(own_B), 1, 4, 4)


def test_several_processes_mix_what_one_process_mixes() -> None:
    alone = make_batches(40, 7, EVERYTHING)
    parts = [replace(alone, world=World(rank, 3)) for rank in range(3)]
    for whole, *pieces in zip(alone.epoch(1), *(part.epoch(1) for part in parts), strict=True):
        assert torch.equal(torch.cat([piece.images_BCHW for piece in pieces]), whole.images_BCHW)
        assert torch.equal(torch.cat([piece.labels_B for piece in pieces]), whole.labels_B)
        for name in ("labels_B", "share_B"):
            found = torch.cat([getattr(piece.mixed, name) for piece in pieces])
            assert torch.equal(found, getattr(whole.mixed, name))


def test_all_changes_together_are_the_same_when_an_epoch_is_entered_midway() -> None:
    batches = make_batches(30, 8, EVERYTHING)
    for expected, found in zip([*batches.epoch(2)][2:], batches.epoch(2, 2), strict=True):
        assert torch.equal(found.images_BCHW, expected.images_BCHW)
        assert found.mixed is not None and expected.mixed is not None
        assert torch.equal(found.mixed.share_B, expected.mixed.share_B)


def test_seeds_differ_in_order() -> None:
    assert labels_of(list(make_batches(50, 10, seed=0).epoch(0))) != labels_of(
        list(make_batches(50, 10, seed=1).epoch(0))
    )


def test_light_changes_minibatches_and_nothing_else() -> None:
    dark = AugmentConfig(flip="random", translate=2, cutout=2, brightness=0.5, contrast=0.5)
    plain = AugmentConfig(flip="random", translate=2, cutout=2)
    lit, expected = (list(make_batches(30, 10, c.build()).epoch(2)) for c in (dark, plain))
    for one, other in zip(lit, expected, strict=True):
        assert torch.equal(one.labels_B, other.labels_B)
        assert not torch.equal(one.images_BCHW, other.images_BCHW)
        for image, before in zip(one.images_BCHW, other.images_BCHW, strict=True):
            line = torch.stack((before.flatten(), torch.ones(16)), 1)
            fitted = line @ torch.linalg.lstsq(line, image.flatten(), driver="gelsd").solution
            torch.testing.assert_close(fitted, image.flatten(), rtol=0, atol=1e-3)


def test_minibatches_are_float32_in_channels_last_order() -> None:
    (batch,) = make_batches(10, 10).epoch(0)
    assert batch.images_BCHW.dtype == torch.float32
    assert batch.images_BCHW.is_contiguous(memory_format=torch.channels_last)
    assert batch.labels_B.dtype == torch.int64


def test_the_images_themselves_are_never_changed() -> None:
    batches = make_batches(20, 5, AugmentConfig(flip="random", translate=2, cutout=2).build())
    before = batches.images.images_NCHW.clone()
    for _ in batches.epoch(0):
        pass
    assert torch.equal(batches.images.images_NCHW, before)


@pytest.mark.parametrize("batch_size", [1, 7, 20, 100])
def test_evaluation_takes_every_example_once_and_in_order(batch_size: int) -> None:
    images = numbered_images(20)
    batches = list(evaluation_batches(images, BYTES, batch_size))
    assert labels_of(batches) == list(range(20))
    seen_NCHW = torch.cat([batch.images_BCHW for batch in batches])
    assert torch.allclose(seen_NCHW, images.images_NCHW.float(), atol=1e-4)


def test_several_processes_evaluate_every_nth_minibatch() -> None:
    worlds = [World(rank, 3) for rank in range(3)]
    shares = [list(evaluation_batches(numbered_images(20), BYTES, 4, world)) for world in worlds]
    assert [labels_of(share[:1]) for share in shares] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 10, 11],
    ]
    assert [len(share) for share in shares] == [2, 2, 1]
    assert sorted(label for share in shares for label in labels_of(share)) == list(range(20))


@pytest.mark.parametrize("first", [0, 2])
def test_the_side_may_change_within_an_epoch_at_the_border_of_a_minibatch(first: int) -> None:
    sizes = ProgressiveSizeConfig(stages=[[2, 0.25], [3, 0.75]])
    side_px = partial(sizes.side_px, epochs=2, full_px=4)
    batches = replace(make_batches(8, 2), side_px=lambda epoch, done: side_px(epoch, done=done))
    sides = [[b.images_BCHW.shape[2] for b in batches.epoch(epoch, first)] for epoch in range(2)]
    expected = [[2, 2, 3, 3], [3, 3, 4, 4]]
    assert sides == [row[first:] for row in expected]
    shapes = [[batches.image_shape(epoch, i)[1] for i in range(4)] for epoch in range(2)]
    assert shapes == expected


def test_an_epochs_images_have_the_side_that_its_number_gives() -> None:
    batches = replace(make_batches(5, 2), side_px=lambda epoch, done: 2 + epoch)
    sides = [[batch.images_BCHW.shape[2] for batch in batches.epoch(epoch)] for epoch in range(3)]
    assert sides == [[2, 2], [3, 3], [4, 4]]  # the lone fifth image joins the second minibatch
