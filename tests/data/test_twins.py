"""Images that are there twice, against sets of raw bytes and a dHash in plain Python."""

from itertools import product

import numpy as np
import pytest
import torch

from cnn_train.data.image_set import ImageSet
from cnn_train.data.twins import Twins, describe_seen, find_twins

CLASSES = ("cat", "dog")


def images_of(*contents: int, dogs: int = 0, name: str = "") -> ImageSet:
    """Make noise that a number decides; the last ``dogs`` images are dogs, the others cats."""
    draws = [np.random.default_rng(content) for content in contents]
    pixels = [draw.integers(0, 256, (3, 8, 9), dtype=np.uint8) for draw in draws]
    labels_N = (torch.arange(len(contents)) >= len(contents) - dogs).long()
    names = tuple(f"{name}{i}" for i in range(len(contents)))
    return ImageSet(torch.from_numpy(np.stack(pixels)), labels_N, CLASSES, names)


def test_equal_images_are_found_within_a_split_between_splits_and_across_classes() -> None:
    splits = {
        "train": images_of(1, 2, 3, 1, 4, 1, dogs=2, name="t"),  # 1 is a cat, a cat and a dog
        "val": images_of(5, 2, 2, 6, dogs=1, name="v"),
        "test": images_of(6, 4, 7, name="e"),
    }
    assert list(find_twins(splits)) == [
        Twins(("train", "train"), None, 6, 1, [("t0", "t5"), ("t0", "t3")]),
        Twins(("train", "val"), None, 4, 0, [("t1", "v1"), ("t1", "v2")]),
        Twins(("train", "test"), None, 3, 1, [("t4", "e1")]),
        Twins(("val", "val"), None, 4, 0, [("v1", "v2")]),
        Twins(("val", "test"), None, 3, 1, [("v3", "e0")]),
    ]
    assert list(find_twins({"train": images_of(1, 2, 3)})) == []


@pytest.mark.parametrize("seed", range(3))
def test_as_many_are_found_as_sets_of_raw_bytes_say(seed: int) -> None:
    draw = np.random.default_rng(seed)
    first, second = (images_of(*draw.integers(0, 60, 40).tolist()) for _ in range(2))
    raw = [[image.numpy().tobytes() for image in one.images_NCHW] for one in (first, second)]
    found = {twins.splits: len(twins.pairs) for twins in find_twins({"a": first, "b": second})}
    assert found == {
        ("a", "a"): 40 - len(set(raw[0])),
        ("a", "b"): sum(one in set(raw[0]) for one in raw[1]),
        ("b", "b"): 40 - len(set(raw[1])),
    }
    assert first.named_in(second.hashes_N) == [
        name for name, one in zip(first.names, raw[0], strict=True) if one in set(raw[1])
    ]


def test_a_line_counts_and_names_a_few() -> None:
    splits = {"train": images_of(*range(9), name="t"), "test": images_of(*range(5), 9, name="e")}
    (twins,) = find_twins(splits)
    named = "e0 = t0, e1 = t1, e2 = t2 and 2 others"
    assert str(twins) == f"5 of 6 test images are in train too ({named})"
    (twins,) = find_twins({"train": images_of(1, 2, 1, dogs=1)})
    assert str(twins) == "1 of 3 train images are twice in train, 1 under another class (2 = 0)"


def bits_of(image_CHW: torch.Tensor) -> int:
    """Return the dHash of an image of 8 × 9 cells of one pixel, as one number."""
    grey = image_CHW.double().mean(0).tolist()
    return sum((row[i] < row[i + 1]) << (8 * y + i) for y, row in enumerate(grey) for i in range(8))


@pytest.mark.parametrize("most_bits", [0, 20, 25])
def test_near_images_are_those_whose_dhash_differs_in_few_bits(most_bits: int) -> None:
    splits = {"train": images_of(*range(30)), "test": images_of(3, *range(40, 60))}
    found = [twins for twins in find_twins(splits, most_bits) if twins.near_bits is not None]
    expected = {}
    for first, second in (("train", "train"), ("train", "test"), ("test", "test")):
        hashes = [[bits_of(image) for image in splits[one].images_NCHW] for one in (first, second)]
        near = set()
        for (i, a), (j, b) in product(enumerate(hashes[0]), enumerate(hashes[1])):
            earlier = first != second or i < j
            same = (first, second, i, j) == ("train", "test", 3, 0)  # told apart as equal
            if earlier and not same and (a ^ b).bit_count() <= most_bits:
                near.add(str(j))
        if near:
            expected[first, second] = near
    assert {one.splits: {image for _, image in one.pairs} for one in found} == expected
    assert bool(found) == (most_bits > 0)


def test_a_brighter_and_a_smaller_copy_are_near_and_not_equal() -> None:
    original = torch.nn.functional.interpolate(
        images_of(1, 2, 3).images_NCHW.float() / 2, (64, 72), mode="bicubic"
    ).clamp(0, 255)
    small = torch.nn.functional.avg_pool2d(original, 2)
    for changed in (original + 20, torch.nn.functional.interpolate(small, (64, 72))):
        pixels = torch.cat((original, changed)).to(torch.uint8)
        images = ImageSet(pixels, torch.zeros(6).long(), CLASSES, tuple("abcABC"))
        (twins,) = find_twins({"train": images}, 2)
        assert (twins.near_bits, twins.pairs) == (2, [("a", "A"), ("b", "B"), ("c", "C")])


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ([7, 8], []),
        ([2, 3, 7], ["2 of 3 val images were trained on (1, 2): their accuracy says too much"]),
        ([0], ["which images the weights were trained on is not known; val images may be some"]),
    ],
)
def test_what_was_trained_on_is_counted_and_named(seen: list[int], said: list[str]) -> None:
    known = [content for content in seen if content]
    hashes_U = images_of(*known).hashes_N if known else torch.tensor([0])
    found = list(describe_seen(images_of(1, 2, 3), hashes_U, "val"))
    assert [line.removesuffix("; use others") for line in found] == said
