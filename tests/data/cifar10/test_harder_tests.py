from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cnn_train.data.cifar10.harder_tests import find_harder_tests
from cnn_train.data.cifar10.releases import CLASS_NAMES
from cnn_train.errors import DataError

NUM_EACH = 4


def save_corruption(folder: Path, name: str = "fog.npy", num_images: int = 5 * NUM_EACH) -> None:
    """Write images whose every number is their place in the file."""
    places_N = np.arange(num_images, dtype=np.uint8)
    np.save(folder / name, places_N[:, None, None, None] * np.ones((32, 32, 3), np.uint8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_corruption(tmp_path)
    np.save(tmp_path / "labels.npy", np.tile(np.array([3, 1, 4, 9], np.uint8), 5))
    return tmp_path


def add_new_test(folder: Path) -> None:
    np.save(folder / "cifar10.1_v6_data.npy", np.full((3, 32, 32, 3), 7, np.uint8))
    np.save(folder / "cifar10.1_v6_labels.npy", np.array([2, 0, 2], np.int32))


def test_a_severity_is_its_fifth_of_the_file_with_its_labels(folder: Path) -> None:
    (test,) = find_harder_tests(folder)
    assert (test.benchmark, test.name, test.num_severities) == ("CIFAR-10-C", "fog", 5)
    for severity in range(1, 6):
        images = test.load(severity, CLASS_NAMES)
        first = (severity - 1) * NUM_EACH
        assert images.images_NCHW[:, 2, 31, 0].tolist() == list(range(first, first + NUM_EACH))
        assert images.labels_N.tolist() == [3, 1, 4, 9]
        assert images.image_shape == (3, 32, 32)


def test_rows_columns_and_channels_keep_their_places(tmp_path: Path) -> None:
    pixels_NHWC = np.random.default_rng(0).integers(256, size=(5, 32, 32, 3), dtype=np.uint8)
    np.save(tmp_path / "snow.npy", pixels_NHWC)
    np.save(tmp_path / "labels.npy", np.zeros(5, np.int64))
    (test,) = find_harder_tests(tmp_path)
    expected = torch.from_numpy(pixels_NHWC[1]).permute(2, 0, 1)
    assert torch.equal(test.load(2, CLASS_NAMES).images_NCHW[0], expected)


def test_labels_follow_the_models_order_of_the_classes(folder: Path) -> None:
    (test,) = find_harder_tests(folder)
    turned = CLASS_NAMES[::-1]
    assert test.load(1, turned).labels_N.tolist() == [6, 8, 5, 0]
    with pytest.raises(DataError, match=r"fog\.npy has classes that training lacks: .*truck"):
        test.load(1, CLASS_NAMES[:9])


def test_a_new_test_set_is_one_part_beside_the_corruptions(folder: Path) -> None:
    add_new_test(folder)
    fog, new = find_harder_tests(folder)
    assert (new.benchmark, new.name, new.num_severities) == ("CIFAR-10.1", "cifar10.1_v6", 1)
    images = new.load(1, CLASS_NAMES)
    assert images.labels_N.tolist() == [2, 0, 2]
    assert images.images_NCHW.unique().tolist() == [7]
    assert fog.name == "fog"


def test_a_folder_with_the_new_test_alone_needs_no_labels_of_corruptions(tmp_path: Path) -> None:
    add_new_test(tmp_path)
    assert [one.benchmark for one in find_harder_tests(tmp_path)] == ["CIFAR-10.1"]


def test_the_images_stay_on_the_disk_until_they_are_loaded(folder: Path) -> None:
    (test,) = find_harder_tests(folder)
    assert isinstance(test.pixels_NHWC, np.memmap)


def with_file(name: str, array: Any) -> Any:
    return lambda folder: np.save(folder / name, array)


def truncate(folder: Path) -> None:
    whole = (folder / "fog.npy").read_bytes()
    (folder / "fog.npy").write_bytes(whole[:-1])


BLACK = np.zeros((20, 32, 32, 3), np.uint8)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "fog.npy").unlink(), "holds neither CIFAR-10-C"),
        (lambda folder: (folder / "labels.npy").unlink(), "labels.npy: is missing"),
        (lambda folder: (folder / "fog.npy").write_text("no array"), "not a whole .npy file"),
        (lambda folder: (folder / "fog.npy").write_bytes(b""), "not a whole .npy file"),
        (truncate, "not a whole .npy file"),
        (with_file("fog.npy", np.array([{"a": 1}] * 20)), "not a whole .npy file"),
        (with_file("fog.npy", BLACK.astype(np.float32)), "holds float32 numbers"),
        (with_file("fog.npy", BLACK[:, :16]), r"shape \(20, 16, 32, 3\)"),
        (with_file("fog.npy", BLACK[:19]), "labels.npy: holds uint8 numbers of shape"),
        (with_file("labels.npy", np.zeros(20)), "labels.npy: holds float64"),
        (with_file("labels.npy", np.full(20, 10)), "labels must be 0 to 9, not 10–10"),
        (with_file("labels.npy", np.full(20, -1)), "labels must be 0 to 9"),
        (with_file("cifar10.1_v4_data.npy", BLACK), "cifar10.1_v4_labels.npy: is missing"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(
    folder: Path, damage: Any, message: str
) -> None:
    damage(folder)
    with pytest.raises(DataError, match=message) as refusal:
        find_harder_tests(folder)
    assert "\n" not in str(refusal.value)


def test_severities_of_unequal_size_are_refused(tmp_path: Path) -> None:
    save_corruption(tmp_path, num_images=6)
    np.save(tmp_path / "labels.npy", np.zeros(6, np.uint8))
    with pytest.raises(DataError, match="6 images are not 5 severities"):
        find_harder_tests(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="elsewhere: no such directory"):
        find_harder_tests(tmp_path / "elsewhere")


def test_nothing_in_a_file_is_unpickled(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path(tmp_path / "exploded").touch, ())

    np.save(tmp_path / "fog.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    np.save(tmp_path / "labels.npy", np.zeros(1, np.uint8))
    with pytest.raises(DataError, match="not a whole"):
        find_harder_tests(tmp_path)
    assert not (tmp_path / "exploded").exists()
