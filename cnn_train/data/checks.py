"""Check images and augmentation before training starts, not in the middle of it."""

from ..errors import ConfigError, DataError
from .augment.settings import AugmentConfig
from .image_set import ImageSet


def check_images(train: ImageSet, val: ImageSet) -> None:
    """Raise DataError for images that cannot be trained on."""
    num_classes = len(train.class_names)
    if num_classes < 2:
        raise DataError(f"a classifier needs at least two classes; found {num_classes}")
    for split, images in (("training", train), ("validation", val)):
        if len(images) == 0:
            raise DataError(f"the {split} split is empty")
        lowest, highest = int(images.labels_N.min()), int(images.labels_N.max())
        if lowest < 0 or highest >= num_classes:
            raise DataError(
                f"{split} labels run from {lowest} to {highest}, outside 0 to {num_classes - 1}"
            )
    if train.image_shape != val.image_shape:
        raise DataError(
            f"training images are {train.image_shape} (C, H, W), "
            f"validation images {val.image_shape}"
        )
    if empty := train.empty_classes():
        raise DataError(f"no training images of class {', '.join(empty)}")


def check_augmentation(augment: AugmentConfig, image_shape: tuple[int, int, int]) -> None:
    """Refuse what would leave nothing of the images, and what they have no pixels or colours for.

    Raises ConfigError.
    """
    channels, side_px = image_shape[0], min(image_shape[1:])
    for name in ("translate", "cutout"):
        value = getattr(augment, name)
        if value >= side_px:
            raise ConfigError(f"augment.{name}: {value} px, but the images' side is {side_px} px")
    for name in ("saturation", "hue"):
        if channels != 3 and getattr(augment, name):
            raise ConfigError(f"augment.{name}: these images have no colours; set it to 0")
    if augment.trivial_augment and side_px < 3:
        raise ConfigError(
            f"augment.trivial_augment: it needs 3 × 3 px, but the images' side is {side_px} px"
        )
