"""What each dataset says about its images without opening one is what its images are."""

from pathlib import Path

import pytest
import torch
from torchvision.transforms.functional import to_pil_image

from cnn_train.data.cifar10.dataset import CIFAR10Config
from cnn_train.data.dataset import DataAccess
from cnn_train.data.folder.dataset import FolderConfig
from cnn_train.data.shapes.dataset import ShapesConfig
from cnn_train.errors import DataError


def test_drawn_shapes_have_the_known_classes_and_sizes(tmp_path: Path) -> None:
    config = ShapesConfig(num_train=20, image_size=20)
    images, known = config.load_train(DataAccess(tmp_path)), config.known_images()
    assert (known.image_shape, known.class_names) == (images.image_shape, images.class_names)
    assert known.normalization is None


def test_a_folder_has_the_known_classes_and_sizes_where_it_is_here(tmp_path: Path) -> None:
    for name in ("owl", "cat"):
        (tmp_path / "train" / name).mkdir(parents=True)
        image = to_pil_image(torch.zeros(3, 9, 9, dtype=torch.uint8))
        image.save(tmp_path / "train" / name / "1.png")
    config = FolderConfig(root=tmp_path, image_size=8)
    images, known = config.load_train(DataAccess(tmp_path / "data")), config.known_images()
    assert (known.image_shape, known.class_names) == (images.image_shape, images.class_names)
    assert FolderConfig(root=tmp_path / "moved").known_images().class_names is None
    (tmp_path / "train" / "cat" / "1.png").unlink()
    with pytest.raises(DataError, match="no images of cat"):
        config.known_images()


def test_cifar10_is_known_by_its_usual_constants() -> None:
    known = CIFAR10Config().known_images()
    assert known.image_shape == (3, 32, 32)
    assert known.class_names is not None and len(known.class_names) == 10
    assert known.normalization is not None
    assert known.normalization.mean == (0.4914, 0.4822, 0.4465)
    assert known.normalization.std == (0.2470, 0.2435, 0.2616)
