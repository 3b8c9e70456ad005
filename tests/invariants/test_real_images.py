"""What the real CIFAR-10 JPEG images should give; skipped where they are not unpacked."""

from pathlib import Path

import pytest

from cnn_train.data.dataset import DataAccess
from cnn_train.data.folder.dataset import FolderConfig
from cnn_train.data.normalization import Normalization

ROOT = Path("~/.cache/cnn-train/cifar10-jpeg").expanduser()

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not ROOT.is_dir(), reason="the real images are not unpacked"),
]


def test_the_real_images_have_cifars_classes_sizes_and_colours(tmp_path: Path) -> None:
    classes = tuple(sorted(path.name for path in (ROOT / "train").iterdir()))
    images = FolderConfig(root=ROOT).load_test(DataAccess(tmp_path), classes)
    assert classes == (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    )  # fmt: skip
    assert len(images) == 5000
    assert images.image_shape == (3, 32, 32)
    measured = Normalization.of(images.images_NCHW)
    assert measured.mean == pytest.approx((0.4914, 0.4822, 0.4465), abs=0.01)
    assert measured.std == pytest.approx((0.2470, 0.2435, 0.2616), abs=0.01)
