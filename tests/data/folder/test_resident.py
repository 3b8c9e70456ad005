"""A folder whose decoded images are mapped from their file instead of being read."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnn_train.data.dataset import DataAccess
from cnn_train.data.folder import dataset as folder
from cnn_train.data.folder.dataset import FolderConfig
from cnn_train.data.host_images import HostImages
from cnn_train.data.splits import load_training_splits
from cnn_train.errors import ResourceError

CLASSES = ("cat", "dog")


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., FolderConfig]:
    """Return a function that makes settings of a folder of 12 training and 4 test images."""
    rng = np.random.default_rng(0)
    for split, name, count in [(s, c, n) for s, n in (("train", 6), ("test", 2)) for c in CLASSES]:
        for i in range(count):
            path = tmp_path / "set" / split / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    return lambda resident: FolderConfig(
        root=tmp_path / "set", image_size=8, val_fraction=0.3, resident=resident
    )


@pytest.fixture
def access(tmp_path: Path) -> DataAccess:
    return DataAccess(tmp_path / "data")


def kept(access: DataAccess) -> list[str]:
    files = (access.data_dir / "folder-cache").iterdir()
    return sorted(file.suffix for file in files if not file.name.startswith("."))


@pytest.mark.parametrize("is_cached", [False, True])
def test_mapped_images_are_those_that_are_read_in_every_split(
    config: Callable[..., FolderConfig], access: DataAccess, tmp_path: Path, is_cached: bool
) -> None:
    if is_cached:
        load_training_splits(config("device"), access)
    mapped = load_training_splits(config("host"), access)
    resident = load_training_splits(config("device"), DataAccess(tmp_path / "other"))
    for images, others in zip(mapped, resident, strict=True):
        assert images.fingerprint() == others.fingerprint()
        assert torch.equal(images.hashes_N, others.hashes_N)
    train, val = (images.images_NCHW for images in mapped)
    assert isinstance(train, HostImages)
    assert train.stored_NCHW is val.stored_NCHW  # one map, no copy
    assert len(train.stored_NCHW) == 12
    assert train.reason == "on the host, memory-mapped: as configured"
    assert kept(access) == [".bin"]  # nothing of the decoding is left
    assert isinstance(config("host").load_test(access, CLASSES).images_NCHW, HostImages)


def test_auto_maps_what_is_too_large_for_the_memory(
    config: Callable[..., FolderConfig], access: DataAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    num_bytes = 12 * 3 * 8 * 8
    memory = "cnn_train.machine.free_memory.free_memory"
    monkeypatch.setattr(memory, lambda device: int(2.5 * num_bytes))
    assert isinstance(config("auto").load_train(access).images_NCHW, torch.Tensor)
    monkeypatch.setattr(memory, lambda device: int(2.5 * num_bytes) - 3)
    pixels = config("auto").load_train(access).images_NCHW
    assert isinstance(pixels, HostImages)
    assert pixels.reason == (
        "on the host, memory-mapped: 2.3e-06 GB do not fit into 40 % of the 5.76e-06 GB that are "
        "free"
    )


def test_where_the_cache_cannot_be_kept_the_decoded_images_are_used_all_the_same(
    config: Callable[..., FolderConfig], access: DataAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise ResourceError("disk full")

    expected = config("device").load_train(DataAccess(access.data_dir / "other")).fingerprint()
    monkeypatch.setattr("cnn_train.data.decoded_cache.write_atomically", refuse)
    assert config("host").load_train(access).fingerprint() == expected
    assert kept(access) == []


def test_a_disk_without_room_for_the_images_is_named_before_any_is_decoded(
    config: Callable[..., FolderConfig], access: DataAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    num_bytes = 12 * 3 * 8 * 8
    monkeypatch.setattr(folder.os, "posix_fallocate", refuse, raising=False)
    monkeypatch.setattr(folder, "free_memory", lambda device: num_bytes / 0.8 - 1)
    with pytest.raises(ResourceError) as refused:
        config("host").load_train(access)
    assert str(refused.value) == (
        f"12 images of 8 × 8 pixels need 0.0 GB in {access.data_dir}/folder-cache, twice at first: "
        "No space left on device; free the disk, or lower data.image_size"
    )
    monkeypatch.setattr(folder, "free_memory", lambda device: num_bytes / 0.8 + 1)
    notices: list[str] = []
    config("host").load_train(DataAccess(access.data_dir, notice=notices.append))
    assert [notice.endswith("on device; they are in memory now") for notice in notices] == [True]


@pytest.mark.skipif(getattr(os, "geteuid", int)() == 0, reason="root may write anywhere")
def test_a_data_directory_that_may_only_be_read_does_for_images_that_fit_into_memory(
    config: Callable[..., FolderConfig], access: DataAccess, tmp_path: Path
) -> None:
    expected = config("device").load_train(DataAccess(tmp_path / "other")).fingerprint()
    access.data_dir.mkdir(mode=0o500)
    assert config("host").load_train(access).fingerprint() == expected


def test_images_that_changed_are_found_in_a_mapped_set_too(
    config: Callable[..., FolderConfig], access: DataAccess, tmp_path: Path
) -> None:
    notices: list[str] = []
    watched = DataAccess(access.data_dir, notice=notices.append)
    config("host").load_train(watched)
    path = tmp_path / "set" / "train" / "cat" / "3.png"
    Image.new("RGB", (8, 8), (1, 2, 3)).save(path)
    images = config("host").load_train(watched)
    assert notices == ["changed since they were first read: train/cat/3.png"]
    assert images.images_NCHW[3].flatten(1).unique().tolist() == [1, 2, 3]
