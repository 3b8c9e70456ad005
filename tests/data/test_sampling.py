from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cnn_train.data.augment.settings import AugmentConfig
from cnn_train.data.batches import TrainingBatches, plan_epoch
from cnn_train.data.image_set import ImageSet
from cnn_train.data.normalization import Normalization
from cnn_train.data.sampling import balance, count_classes, describe_imbalance, places_of_changes
from cnn_train.machine.processes import World

LABELS_N = torch.tensor([0] * 30 + [1] * 4 + [2] * 7)


def epoch_of(labels_N: Tensor, epoch: int = 0, seed: int = 0) -> Tensor:
    order_N = torch.randperm(len(labels_N), generator=torch.Generator().manual_seed(epoch))
    return balance(order_N, epoch, labels_N=labels_N, seed=seed)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=80), st.integers(0, 3))
def test_every_class_and_within_it_every_image_comes_up_equally_often_give_or_take_one(
    labels: list[int], epoch: int
) -> None:
    labels_N = torch.tensor(labels)
    order_N = epoch_of(labels_N, epoch)
    assert len(order_N) == len(labels)
    shown_K = torch.bincount(labels_N[order_N])[labels_N.unique()]
    assert shown_K.max() - shown_K.min() <= 1
    times_N = torch.bincount(order_N, minlength=len(labels))
    for label in labels_N.unique():
        own = times_N[labels_N == label]
        assert own.max() - own.min() <= 1


def test_a_balanced_epoch_worked_out_by_hand() -> None:
    """41 images, three classes: 14, 14 and 13; four images come 3 or 4 times, seven twice."""
    times_N = torch.bincount(epoch_of(LABELS_N), minlength=41)
    assert sorted(torch.bincount(LABELS_N[epoch_of(LABELS_N)]).tolist()) == [13, 14, 14]
    assert set(times_N[:30].tolist()) == {0, 1}
    assert set(times_N[30:34].tolist()) == {3, 4}
    assert set(times_N[34:].tolist()) <= {1, 2}


def test_an_epoch_is_a_function_of_seed_and_epoch_and_over_epochs_all_images_come() -> None:
    assert torch.equal(epoch_of(LABELS_N, 3), epoch_of(LABELS_N, 3))
    assert not torch.equal(epoch_of(LABELS_N, 3), epoch_of(LABELS_N, 4))
    assert not torch.equal(epoch_of(LABELS_N, 3), epoch_of(LABELS_N, 3, seed=1))
    assert len(torch.cat([epoch_of(LABELS_N, epoch) for epoch in range(20)]).unique()) == 41
    odd_one = {int(torch.bincount(LABELS_N[epoch_of(LABELS_N, e)]).argmin()) for e in range(20)}
    assert odd_one == {0, 1, 2}


def test_classes_are_mixed_within_an_epoch() -> None:
    halves = LABELS_N[epoch_of(LABELS_N)].split(20)[:2]
    assert all(half.bincount(minlength=3).min() >= 3 for half in halves)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=10))
def test_no_two_places_of_an_epoch_get_the_same_changes(order: list[int]) -> None:
    order_N = torch.tensor(order)
    places_N = places_of_changes(order_N, 10)
    assert len(places_N.unique()) == len(order)
    first_N = torch.tensor([order.index(image) == i for i, image in enumerate(order)])
    assert torch.equal(places_N[first_N], order_N[first_N])
    assert not torch.isin(places_N[~first_N], order_N).any()


def test_an_order_without_repetition_keeps_its_changes() -> None:
    order_N = torch.tensor([4, 1, 3])
    assert places_of_changes(order_N, 5) is order_N


def balanced_batches(world: World) -> TrainingBatches:
    images_NCHW = torch.randint(0, 256, (41, 3, 9, 9), generator=torch.Generator().manual_seed(0))
    names = tuple(map(str, range(41)))
    images = ImageSet(images_NCHW.to(torch.uint8), LABELS_N, ("a", "b", "c"), names)
    return TrainingBatches(
        images, Normalization((0.0,) * 3, (1.0,) * 3),
        AugmentConfig(flip="random", translate=3, cutout=3).build(), 0,
        lambda epoch: plan_epoch(41, 8), world=world,
        choose=lambda order_N, epoch: balance(order_N, epoch, labels_N=LABELS_N, seed=0),
    )  # fmt: skip


def test_a_repeated_image_is_changed_otherwise_each_time() -> None:
    batches = list(balanced_batches(World(0, 1)).epoch(0))
    images_NCHW = torch.cat([batch.images_BCHW for batch in batches])
    index_N = torch.cat([batch.index_B for batch in batches])
    repeated = index_N.bincount().argmax()
    assert len(images_NCHW[index_N == repeated].unique(dim=0)) == (index_N == repeated).sum() >= 3


@pytest.mark.parametrize("first", [0, 2, 5])
def test_processes_share_a_balanced_epoch_also_from_its_middle(first: int) -> None:
    whole = list(balanced_batches(World(0, 1)).epoch(2))[first:]
    parts = [list(balanced_batches(World(rank, 2)).epoch(2, first)) for rank in (0, 1)]
    for expected, *found in zip(whole, *parts, strict=True):
        for name in ("images_BCHW", "labels_B", "index_B"):
            together = torch.cat([getattr(batch, name) for batch in found])
            assert torch.equal(together, getattr(expected, name)), name


def test_a_warning_names_the_largest_class_its_share_and_what_helps() -> None:
    images = balanced_batches(World(0, 1)).images
    assert count_classes(images).tolist() == [30, 4, 7]
    warning = describe_imbalance(images)
    assert warning is not None
    assert warning.startswith(
        "a has 30 of 41 training images, b has 4: always to answer a is right for 73.2 % of such"
    )
    for setting in ("loss.weights: balanced", "data.sampling: balanced", "best_by: balanced_acc"):
        assert setting in warning
    alike = replace(images, labels_N=torch.tensor([0] * 20 + [1] * 14 + [2] * 7))
    assert describe_imbalance(alike) is None
