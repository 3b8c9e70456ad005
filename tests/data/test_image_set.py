import hashlib
from dataclasses import replace

import pytest
import torch

from cnn_train.data.image_set import ImageSet
from cnn_train.errors import DataError


@pytest.fixture
def images() -> ImageSet:
    pixels = torch.arange(4 * 3 * 2 * 5).reshape(4, 3, 2, 5).to(torch.uint8)
    return ImageSet(pixels, torch.tensor([0, 1, 1, 0]), ("cat", "dog"), ("a", "b", "c", "d"))


def test_its_length_and_shape_are_those_of_its_images(images: ImageSet) -> None:
    assert len(images) == 4
    assert images.image_shape == (3, 2, 5)


@pytest.mark.parametrize("indices", [[2, 0], torch.tensor([2, 0])])
def test_select_keeps_pixels_labels_and_names_together(
    images: ImageSet, indices: list[int] | torch.Tensor
) -> None:
    chosen = images.select(indices)
    assert torch.equal(chosen.images_NCHW, images.images_NCHW[[2, 0]])
    assert chosen.labels_N.tolist() == [1, 0]
    assert chosen.names == ("c", "a")
    assert chosen.class_names == images.class_names


def test_relabelling_keeps_every_images_class_by_name(images: ImageSet) -> None:
    relabelled = images.relabel(("dog", "bird", "cat"), "test")
    assert relabelled.class_names == ("dog", "bird", "cat")
    assert relabelled.labels_N.tolist() == [2, 0, 0, 2]
    assert torch.equal(relabelled.images_NCHW, images.images_NCHW)


def test_relabelling_refuses_a_class_that_the_model_never_saw(images: ImageSet) -> None:
    with pytest.raises(DataError, match=r"^test has classes that training lacks: dog; .* cat$"):
        images.relabel(("cat",), "test")


def test_equal_images_have_equal_fingerprints_whatever_their_names_and_memory_order(
    images: ImageSet,
) -> None:
    twin = replace(
        images,
        images_NCHW=images.images_NCHW.contiguous(memory_format=torch.channels_last),
        names=("w", "x", "y", "z"),
    )
    assert twin.fingerprint() == images.fingerprint()
    assert len(images.fingerprint()) == 64


def test_a_changed_pixel_label_or_class_name_changes_the_fingerprint(images: ImageSet) -> None:
    pixels = images.images_NCHW.clone()
    pixels[3, 2, 1, 4] ^= 1
    changed = [
        replace(images, images_NCHW=pixels),
        replace(images, images_NCHW=images.images_NCHW.reshape(4, 3, 5, 2)),
        replace(images, labels_N=torch.tensor([0, 1, 1, 1])),
        replace(images, class_names=("cat", "dig")),
        images.select([1, 0, 2, 3]),
    ]
    fingerprints = {images.fingerprint(), *(other.fingerprint() for other in changed)}
    assert len(fingerprints) == 6


@pytest.mark.parametrize(
    "wrong",
    [
        {"images_NCHW": torch.zeros(4, 3, 2, 5)},
        {"images_NCHW": torch.zeros(4, 3, 2, dtype=torch.uint8)},
        {"labels_N": torch.zeros(4)},
        {"labels_N": torch.zeros(3, dtype=torch.int64)},
        {"names": ("a",)},
    ],
)
def test_parts_that_do_not_fit_together_are_our_own_bug(
    images: ImageSet, wrong: dict[str, object]
) -> None:
    with pytest.raises(AssertionError):
        replace(images, **wrong)  # type: ignore[arg-type]


def test_an_image_is_recognised_by_the_hash_of_its_size_and_its_pixels_row_by_row(
    images: ImageSet,
) -> None:
    raw = images.images_NCHW[2].permute(1, 2, 0).contiguous().numpy()
    digest = hashlib.blake2b(b"(2, 5, 3)" + raw.tobytes(), digest_size=8).digest()
    assert images.hashes_N[2].item() == int.from_bytes(digest, "little", signed=True)
    turned = replace(images, images_NCHW=images.images_NCHW.reshape(4, 3, 5, 2))
    assert len({*images.hashes_N.tolist(), *turned.hashes_N.tolist()}) == 8
    assert images.select([2, 0]).hashes_N.tolist() == images.hashes_N[[2, 0]].tolist()
