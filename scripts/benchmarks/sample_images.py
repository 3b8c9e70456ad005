"""Images to measure with: real ones where the caller has some, else noise or drawings.

Shape letters: N examples, C channels, H W pixels.
"""

from pathlib import Path

import torch
from PIL import Image

from cnn_train.data.dataset import DataAccess
from cnn_train.data.folder.dataset import FolderConfig
from cnn_train.data.image_set import ImageSet
from cnn_train.data.location import resolve_data_dir
from cnn_train.data.shapes.dataset import ShapesConfig
from cnn_train.data.splits import load_training_splits

CLASS_NAMES = tuple(f"class {label}" for label in range(10))
NUM_DRAWN = 100
"""Different drawings among the files; many files repeat one, which no decoder notices."""


def make_noise(
    num_images: int, image_shape: tuple[int, int, int] = (3, 32, 32), seed: int = 0
) -> ImageSet:
    """Make images of random bytes in ten classes: what is in an image changes no speed."""
    generator = torch.Generator().manual_seed(seed)
    shape = (num_images, *image_shape)
    return ImageSet(
        torch.randint(256, shape, generator=generator, dtype=torch.uint8),
        torch.arange(num_images) % len(CLASS_NAMES),
        CLASS_NAMES,
        tuple(f"noise/{i}" for i in range(num_images)),
    )


def load_images(data_root: Path | None, num_train: int, num_val: int) -> tuple[ImageSet, ImageSet]:
    """Return at most so many training and validation images, real ones where there are any."""
    if data_root is None:
        return make_noise(num_train), make_noise(num_val, seed=1)
    access = DataAccess(resolve_data_dir(None), offline=True)
    train, val = load_training_splits(FolderConfig(root=data_root), access)
    return _some(train, num_train), _some(val, num_val)


def _some(images: ImageSet, num: int) -> ImageSet:
    """Choose images of all classes evenly: they lie sorted by class."""
    generator = torch.Generator().manual_seed(0)
    return images.select(torch.randperm(len(images), generator=generator)[:num])


def write_jpegs(folder: Path, num_files: int) -> list[Path]:
    """Write drawn images of 32×32 pixels as JPEG files, ten classes below ``folder``."""
    shapes = ShapesConfig(num_train=NUM_DRAWN).load_train(DataAccess(folder))
    pixels_NHWC = shapes.images_NCHW[:].permute(0, 2, 3, 1).contiguous().numpy()
    paths = []
    for i in range(num_files):
        path = folder / f"class_{i % 10}" / f"{i:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels_NHWC[i % NUM_DRAWN]).save(path, quality=90)
        paths.append(path)
    return paths
