from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnn_train.data.dataset import DataAccess, DatasetConfig, KnownImages
from cnn_train.data.image_set import ImageSet
from cnn_train.data.splits import load_training_splits, stratified_split
from cnn_train.errors import DataError

class_sizes = st.lists(st.integers(2, 60), min_size=1, max_size=8)
fractions = st.floats(0.001, 0.999)


def labels_with(sizes: list[int]) -> torch.Tensor:
    """Make labels in which class k appears ``sizes[k]`` times, in mixed order."""
    labels_N = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return labels_N[torch.randperm(len(labels_N), generator=torch.Generator().manual_seed(1))]


@given(class_sizes, fractions, st.integers(0, 100))
def test_a_split_is_disjoint_complete_ascending_and_has_every_class_on_both_sides(
    sizes: list[int], fraction: float, seed: int
) -> None:
    labels_N = labels_with(sizes)
    train, val = stratified_split(labels_N, fraction, seed)
    assert sorted([*train.tolist(), *val.tolist()]) == list(range(len(labels_N)))
    assert train.tolist() == sorted(train.tolist())
    assert val.tolist() == sorted(val.tolist())
    for part in (train, val):
        assert labels_N[part].unique().tolist() == list(range(len(sizes)))


def test_every_class_gives_the_same_fraction() -> None:
    labels_N = labels_with([100, 50, 20])
    _, val = stratified_split(labels_N, 0.1, 0)
    assert torch.bincount(labels_N[val]).tolist() == [10, 5, 2]


def test_the_same_seed_gives_the_same_split_and_another_seed_another() -> None:
    labels_N = labels_with([40, 40])
    first, again, other = (stratified_split(labels_N, 0.25, seed)[1] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_split_draws_nothing_from_the_global_generator() -> None:
    before = torch.get_rng_state()
    stratified_split(labels_with([10, 10]), 0.2, 0)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_class_with_a_single_example_is_refused_by_number() -> None:
    with pytest.raises(ValueError, match="class 1 has one example"):
        stratified_split(torch.tensor([0, 0, 1]), 0.5, 0)


class InMemoryConfig(DatasetConfig):
    """A dataset without files: 4 + 4 training images and, if wished, 2 validation images."""

    name: Literal["in_memory"] = "in_memory"
    own_val: bool = False
    num_train: int = 8

    def known_images(self) -> KnownImages:
        return KnownImages((1, 2, 2), ("a", "b"))

    def load_train(self, access: DataAccess) -> ImageSet:
        return self._images(self.num_train)

    def load_val(self, access: DataAccess, class_names: tuple[str, ...]) -> ImageSet | None:
        return self._images(2) if self.own_val else None

    def load_test(self, access: DataAccess, class_names: tuple[str, ...]) -> ImageSet:
        raise AssertionError("training never opens the test split")

    def _images(self, num: int) -> ImageSet:
        names = tuple(str(i) for i in range(num))
        images_NCHW = torch.zeros(num, 1, 2, 2, dtype=torch.uint8)
        return ImageSet(images_NCHW, torch.arange(num) % 2, ("a", "b"), names)


@pytest.fixture
def access(tmp_path_factory: pytest.TempPathFactory) -> DataAccess:
    return DataAccess(tmp_path_factory.mktemp("data"))


def test_a_dataset_without_validation_images_gives_some_of_its_training_images(
    access: DataAccess,
) -> None:
    train, val = load_training_splits(InMemoryConfig(val_fraction=0.25), access)
    assert (len(train), len(val)) == (6, 2)
    assert set(train.names).isdisjoint(val.names)


def test_a_dataset_with_its_own_validation_images_keeps_all_training_images(
    access: DataAccess,
) -> None:
    train, val = load_training_splits(InMemoryConfig(own_val=True), access)
    assert (len(train), len(val)) == (8, 2)


def test_a_class_too_small_to_be_split_is_named(access: DataAccess) -> None:
    with pytest.raises(DataError, match="validation images: one example only of b; add another"):
        load_training_splits(InMemoryConfig(num_train=3), access)
