import math
from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnn_train.data.dataset import DataAccess, DatasetConfig, KnownImages
from cnn_train.data.image_set import ImageSet
from cnn_train.data.splits import SPLITS, load_training_splits
from cnn_train.errors import DataError

class_sizes = st.lists(st.integers(2, 60), min_size=1, max_size=8)
fractions = st.floats(0.001, 0.999)
seeds = st.integers(0, 100)
every_split = pytest.mark.parametrize("split", SPLITS)


def labels_with(sizes: list[int]) -> torch.Tensor:
    """Make labels in which class k appears ``sizes[k]`` times, in mixed order."""
    labels_N = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return labels_N[torch.randperm(len(labels_N), generator=torch.Generator().manual_seed(1))]


def images_with(labels_N: torch.Tensor, contents: list[int] | None = None) -> ImageSet:
    """Make images of three pixels that hold a number: equal numbers are equal images."""
    numbers_N = torch.arange(len(labels_N)) if contents is None else torch.tensor(contents)
    bytes_NC = numbers_N[:, None] >> torch.tensor([0, 8, 16]) & 255
    names = tuple(map(str, range(len(labels_N))))
    classes = tuple(f"class {label}" for label in range(int(labels_N.max()) + 1))
    return ImageSet(bytes_NC.to(torch.uint8)[:, :, None, None], labels_N, classes, names)


@given(class_sizes, fractions, seeds, st.sampled_from(sorted(SPLITS)))
def test_a_split_has_every_class_on_both_sides(
    sizes: list[int], fraction: float, seed: int, split: str
) -> None:
    images = images_with(labels_with(sizes))
    held_out_N = SPLITS[split](images, fraction, seed)
    for side in (held_out_N, ~held_out_N):
        assert images.labels_N[side].unique().tolist() == list(range(len(sizes)))


def test_by_position_every_class_gives_the_same_fraction() -> None:
    images = images_with(labels_with([100, 50, 20]))
    held_out_N = SPLITS["position"](images, 0.1, 0)
    assert torch.bincount(images.labels_N[held_out_N]).tolist() == [10, 5, 2]


@pytest.mark.parametrize("fraction", [0.02, 0.1, 0.5])
def test_by_content_every_class_gives_about_the_fraction(fraction: float) -> None:
    """Within five standard deviations of as many coins as there are images."""
    images = images_with(labels_with([20_000, 5000, 5000]))
    held_out_N = SPLITS["content"](images, fraction, 0)
    for label, size in enumerate([20_000, 5000, 5000]):
        spread = 5 * math.sqrt(size * fraction * (1 - fraction))
        assert abs(int(held_out_N[images.labels_N == label].sum()) - size * fraction) < spread


@every_split
def test_the_same_seed_gives_the_same_split_and_another_seed_another(split: str) -> None:
    images = images_with(labels_with([40, 40]))
    first, again, other = (SPLITS[split](images, 0.25, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@every_split
def test_a_split_draws_nothing_from_the_global_generator(split: str) -> None:
    before = torch.get_rng_state()
    SPLITS[split](images_with(labels_with([10, 10])), 0.2, 0)
    assert torch.equal(torch.get_rng_state(), before)


@given(class_sizes, st.lists(st.integers(1, 40), min_size=8, max_size=8), fractions, seeds)
def test_images_that_are_added_never_bring_one_that_was_trained_on_into_validation(
    sizes: list[int], added: list[int], fraction: float, seed: int
) -> None:
    """Except the one that a class had to keep, where all of it would have been held out."""
    larger = images_with(labels_with([a + b for a, b in zip(sizes, added, strict=False)]))
    was_there_N = torch.zeros(len(larger), dtype=torch.bool)
    for label, size in enumerate(sizes):
        was_there_N[(larger.labels_N == label).nonzero()[:size]] = True
    smaller = larger.select(was_there_N.nonzero().squeeze(1))
    trained_N = ~SPLITS["content"](smaller, fraction, seed)
    now_held_out_N = SPLITS["content"](larger, fraction, seed)[was_there_N]
    moved = smaller.labels_N[trained_N & now_held_out_N].tolist()
    assert len(moved) == len(set(moved))
    assert all(int(trained_N[smaller.labels_N == label].sum()) == 1 for label in moved)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2)), min_size=20), seeds)
def test_by_content_equal_images_stay_together_in_any_class_and_any_order(
    drawn: list[tuple[int, int]], seed: int
) -> None:
    contents = [*(content for content, _ in drawn), *range(100, 160)]
    labels = [*(label for _, label in drawn), *(i % 3 for i in range(60))]
    images = images_with(torch.tensor(labels), contents)
    held_out_N = SPLITS["content"](images, 0.3, seed).tolist()
    sides = dict(zip(contents, held_out_N, strict=True))
    assert held_out_N == [sides[content] for content in contents]
    backwards = images.select(list(range(len(images)))[::-1])
    assert SPLITS["content"](backwards, 0.3, seed).tolist() == held_out_N[::-1]


class InMemoryConfig(DatasetConfig):
    """A dataset without files: 4 + 4 training images and, if wished, 2 validation images."""

    name: Literal["in_memory"] = "in_memory"
    own_val: bool = False
    num_train: int = 8
    num_contents: int = 1000

    def known_images(self) -> KnownImages:
        return KnownImages((3, 1, 1), ("class 0", "class 1"))

    def load_train(self, access: DataAccess) -> ImageSet:
        return self._images(self.num_train)

    def load_val(self, access: DataAccess, class_names: tuple[str, ...]) -> ImageSet | None:
        return self._images(2) if self.own_val else None

    def load_test(self, access: DataAccess, class_names: tuple[str, ...]) -> ImageSet:
        raise AssertionError("training never opens the test split")

    def _images(self, num: int) -> ImageSet:
        contents = [i % self.num_contents for i in range(num)]
        return images_with(torch.arange(num) % 2, contents)


@pytest.fixture
def access(tmp_path_factory: pytest.TempPathFactory) -> DataAccess:
    return DataAccess(tmp_path_factory.mktemp("data"))


@every_split
def test_a_dataset_without_validation_images_gives_some_of_its_training_images(
    access: DataAccess, split: Literal["content", "position"]
) -> None:
    config = InMemoryConfig(num_train=80, val_fraction=0.25, split=split)
    train, val = load_training_splits(config, access)
    assert sorted([*train.names, *val.names]) == sorted(map(str, range(80)))
    assert [sorted(part.names, key=int) == list(part.names) for part in (train, val)] == [True] * 2
    assert len(val) == 20 if split == "position" else 5 < len(val) < 40


def test_a_dataset_with_its_own_validation_images_keeps_all_training_images(
    access: DataAccess,
) -> None:
    train, val = load_training_splits(InMemoryConfig(own_val=True), access)
    assert (len(train), len(val)) == (8, 2)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"num_train": 3}, "class 1"),
        ({"num_train": 3, "split": "position"}, "class 1"),
        ({"num_train": 50, "num_contents": 2}, "class 0, class 1"),
    ],
)
def test_a_class_without_two_different_images_is_named(
    access: DataAccess, settings: dict[str, object], named: str
) -> None:
    refused = f"validation images: no two different ones of {named}; add another"
    with pytest.raises(DataError, match=refused):
        load_training_splits(InMemoryConfig.model_validate(settings), access)


def test_by_position_equal_images_are_divided_as_before_there_was_a_choice(
    access: DataAccess,
) -> None:
    """The numbers are what releases before data.split held out of 12 images, seed 0."""
    config = InMemoryConfig(num_train=12, num_contents=2, split="position", val_fraction=0.3)
    _, val = load_training_splits(config, access)
    assert val.names == ("0", "3", "6", "11")
