"""What the data directory keeps is listed with its origin; only decoded sets are removed."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cnn_train.data.dataset import KnownImages
from cnn_train.data.decoded_cache import Origin, load_decoded, lock_of, save_decoded
from cnn_train.data.image_set import ImageSet
from cnn_train.data.kept_files import list_kept, remove_decoded
from cnn_train.errors import LockedError
from cnn_train.machine.file_lock import acquire


@pytest.fixture
def data_dir(tmp_path: Path, make_images: Callable[..., ImageSet]) -> Path:
    """Make a folder with two decoded sets, one of an older release, and a part of a download."""
    for name, origin in (
        ("folder-cache/train-8px-0.bin", Origin("files", place="/photographs")),
        ("decoded/cifar10-train-1.bin", Origin("files")),
    ):
        save_decoded(tmp_path / name, make_images(), origin)
        os.utime(tmp_path / name, (0, 86_400))
    (tmp_path / "cifar-10-python.tar.gz.part").write_bytes(b"half")
    (tmp_path / "cifar-10-batches-bin").mkdir()
    (tmp_path / "mine.tar").touch()
    return tmp_path


def test_files_are_listed_with_what_they_are_and_where_their_images_lie(data_dir: Path) -> None:
    found = list_kept(data_dir)
    assert found == list_kept(data_dir)  # a look is no use
    assert found[0].last_used == time.strftime("%Y-%m-%d", time.localtime(86_400))
    assert [(str(Path(one.path).relative_to(data_dir)), one.kind, one.place) for one in found] == [
        ("decoded/cifar10-train-1.bin", "decoded", ""),
        ("folder-cache/train-8px-0.bin", "decoded", "/photographs"),
        ("cifar-10-python.tar.gz.part", "downloaded", ""),
        ("cifar-10-batches-bin", "downloaded", ""),
    ]
    assert all(one.size >= 30 * 3 * 64 for one in found[:2])
    assert list_kept(data_dir / "absent") == []


def test_a_damaged_set_is_listed_too(data_dir: Path) -> None:
    for content in (b"", b"x" * 100, bytes(64) + b"{}\n", bytes(64) + b"[[[" * 9999):
        (data_dir / "decoded/cifar10-train-1.bin").write_bytes(content)
        assert list_kept(data_dir)[0].place == ""


def test_a_place_does_not_decide_whether_a_set_serves() -> None:
    assert Origin("files", place="/a") == Origin("files", place="/b")


def test_a_set_that_is_being_decoded_stays_and_one_that_is_mapped_is_kept_by_its_user(
    data_dir: Path, make_images: Callable[..., ImageSet]
) -> None:
    path = data_dir / "folder-cache/train-8px-0.bin"
    known = KnownImages((3, 8, 8), make_images().class_names)
    with (
        acquire(lock_of(path), lambda: None),
        pytest.raises(LockedError, match="another process is decoding"),
    ):
        remove_decoded(path)
    mapped = load_decoded(path, known, mapped=True)
    assert mapped
    remove_decoded(path)
    assert not path.exists()
    assert mapped.images.fingerprint() == make_images().fingerprint()
    remove_decoded(path)  # gone already
