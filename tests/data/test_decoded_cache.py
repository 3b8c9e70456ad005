"""The cache of decoded images: equal after a round trip, and never trusted when damaged."""

from pathlib import Path

import pytest
import torch

from cnn_train.data.decoded_cache import load_decoded, save_decoded
from cnn_train.data.image_set import ImageSet


@pytest.fixture
def images() -> ImageSet:
    pixels = torch.randint(0, 256, (5, 3, 4, 6), dtype=torch.uint8)
    names = tuple(f"train/größe\n{index}.png" for index in range(5))
    return ImageSet(pixels, torch.tensor([0, 2, 1, 0, 2]), ("cat", "dög", 'a "b"'), names)


@pytest.fixture
def path(tmp_path: Path, images: ImageSet) -> Path:
    path = tmp_path / "new" / "folder" / "cache.bin"
    save_decoded(path, images, stamp="source 1")
    return path


def test_an_image_set_survives_the_round_trip(path, images):
    loaded = load_decoded(path, stamp="source 1")
    assert torch.equal(loaded.images_NCHW, images.images_NCHW)
    assert torch.equal(loaded.labels_N, images.labels_N)
    assert (loaded.class_names, loaded.names) == (images.class_names, images.names)
    assert loaded.fingerprint() == images.fingerprint()


def test_a_loaded_set_can_be_changed_without_touching_the_file(path):
    load_decoded(path, stamp="source 1").images_NCHW.zero_()
    assert load_decoded(path, stamp="source 1").images_NCHW.any()


def test_a_cache_of_another_source_is_not_used(path):
    assert load_decoded(path, stamp="source 2") is None


def test_an_absent_cache_is_none(tmp_path):
    assert load_decoded(tmp_path / "absent", stamp="source 1") is None


def test_every_single_flipped_bit_is_noticed(path):
    good = path.read_bytes()
    for offset in range(len(good)):
        path.write_bytes(good[:offset] + bytes([good[offset] ^ 4]) + good[offset + 1 :])
        assert load_decoded(path, stamp="source 1") is None, offset


def test_every_truncation_is_noticed(path):
    good = path.read_bytes()
    for size in range(len(good)):
        path.write_bytes(good[:size])
        assert load_decoded(path, stamp="source 1") is None, size


def test_saving_leaves_no_temporary_file(path, images):
    save_decoded(path, images, stamp="source 3")
    assert [entry.name for entry in path.parent.iterdir()] == ["cache.bin"]
