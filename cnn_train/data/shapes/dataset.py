"""The embedded dataset: ten drawn shapes on cluttered backgrounds, made from a seed, no files.

The random numbers (PCG64) are the same on every machine; the float32 arithmetic after them is the
same on one machine, and another processor may round a rare pixel one of 255 levels up or down. So a
drawing is recognised by its seed and number, on every machine and at every size and difficulty.
"""

from dataclasses import fields
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from ..content import hash_bytes
from ..dataset import DataAccess, DatasetConfig, KnownImages
from ..image_set import ImageSet
from .canvas import Dice
from .challenges import Strengths, paint
from .outlines import OUTLINES

CLASS_NAMES = tuple(OUTLINES)

_IMAGES_PER_SHEET = 100
"""Images that share one generator and are painted at once: their planes fit in a core's cache."""


def _strength_of(challenge: str) -> Any:
    description = f"strength of {challenge}, from 0 (none) to 1"
    return Field(default=0.5, ge=0, le=1, description=description)


class ShapesConfig(DatasetConfig):
    """Settings of the embedded dataset of drawn shapes; its difficulty is yours to choose."""

    name: Literal["shapes"] = Field(default="shapes", description="embedded, drawn from a seed")
    num_train: int = Field(
        default=10_000, ge=20, le=1_000_000, description="training images, validation included"
    )
    num_test: int = Field(default=2_000, ge=10, le=1_000_000, description="test images")
    image_size: int = Field(default=32, ge=16, le=256, description="width and height in pixels")
    seed: int = Field(default=0, ge=0, lt=2**31, description="seed of the drawings")
    viewpoint: float = _strength_of("changes of position, size, rotation and perspective")
    illumination: float = _strength_of("changes of brightness, contrast, colour cast and shading")
    deformation: float = _strength_of("bends and ripples of the outline")
    occlusion: float = _strength_of("bars and patches over the shape")
    clutter: float = _strength_of("background texture, pebbles, sticks and noise")
    variation: float = _strength_of("differences within a class: colours, fill, proportions")

    def known_images(self) -> KnownImages:
        """Return the ten shapes; their colours depend on the settings and on chance."""
        return KnownImages((3, self.image_size, self.image_size), CLASS_NAMES)

    def load_train(self, access: DataAccess) -> ImageSet:
        """Draw the training images."""
        return self._draw("train", self.num_train, access)

    def load_test(self, access: DataAccess, class_names: tuple[str, ...]) -> ImageSet:
        """Draw the test images, labelled by position in ``class_names``."""
        return self._draw("test", self.num_test, access).relabel(class_names, "the test split")

    def _draw(self, split: str, num_images: int, access: DataAccess) -> ImageSet:
        """Draw a balanced split; a smaller split is the beginning of a larger one."""
        sheets: list[NDArray[np.uint8]] = []
        with access.progress(f"Drawing shapes ({split})", num_images, unit="images") as advance:
            for start in range(0, num_images, _IMAGES_PER_SHEET):
                sheets.append(self._draw_sheet(split, sheet=len(sheets)))
                advance(min(_IMAGES_PER_SHEET, num_images - start))
        hashes = [hash_bytes(f"{self.seed} {split} {i}".encode()) for i in range(num_images)]
        return ImageSet(
            torch.from_numpy(np.concatenate(sheets)[:num_images]),
            torch.arange(num_images) % len(CLASS_NAMES),
            CLASS_NAMES,
            tuple(f"shapes/{split}/{i:05d}" for i in range(num_images)),
            torch.tensor(hashes),
        )

    def _draw_sheet(self, split: str, sheet: int) -> NDArray[np.uint8]:
        """Draw the images of one sheet (uint8, NCHW) from a generator of its own."""
        generator = np.random.default_rng([self.seed, ("train", "test").index(split), sheet])
        strengths = Strengths(**{one.name: getattr(self, one.name) for one in fields(Strengths)})
        labels_B = np.arange(_IMAGES_PER_SHEET) % len(CLASS_NAMES)
        dice = Dice(generator, _IMAGES_PER_SHEET)
        picture_BCHW = paint(labels_B, self.image_size, strengths, dice)
        return np.rint(255 * picture_BCHW).astype(np.uint8)
