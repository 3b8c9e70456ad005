"""Exported images come back as the images they were."""

from pathlib import Path

import pytest
import torch

from cnn_train.data.dataset import DataAccess
from cnn_train.data.folder.dataset import FolderConfig
from cnn_train.data.image_set import ImageSet
from cnn_train.data.images.export import export_images
from cnn_train.errors import ResourceError


def make_images(channels: int = 3) -> ImageSet:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (7, channels, 8, 8), generator=generator, dtype=torch.uint8)
    labels_N = torch.tensor([1, 0, 1, 1, 0, 0, 1])
    return ImageSet(pixels, labels_N, ("ant", "bee"), tuple("abcdefg"))


def test_a_folder_dataset_reads_the_exported_pixels_bit_for_bit(tmp_path: Path) -> None:
    images = make_images()
    export_images(images, tmp_path / "root" / "train")
    config = FolderConfig(root=tmp_path / "root", image_size=8)
    read = config.load_train(DataAccess(tmp_path / "cache"))
    by_class = torch.cat([torch.nonzero(images.labels_N == k).flatten() for k in (0, 1)])
    assert torch.equal(read.images_NCHW, images.images_NCHW[by_class])
    assert torch.equal(read.labels_N, images.labels_N[by_class])
    assert read.class_names == images.class_names


def test_per_class_takes_the_first_of_each_class(tmp_path: Path) -> None:
    written = export_images(make_images(), tmp_path, per_class=2)
    names = [str(path.relative_to(tmp_path)) for path in written]
    assert names == ["ant/00000.png", "ant/00001.png", "bee/00000.png", "bee/00001.png"]
    assert all(path.is_file() for path in written)


def test_grey_images_are_written_too(tmp_path: Path) -> None:
    assert len(export_images(make_images(channels=1), tmp_path)) == 7


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ResourceError, match="file/ant"):
        export_images(make_images(), tmp_path / "file")
