"""torchvision's functions are the reference; they cut digits off where ours round."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode, TrivialAugmentWide
from torchvision.transforms.v2 import functional as reference

from cnn_train.data.augment import trivial
from cnn_train.data.augment.trivial import OPERATIONS, STRONGEST, TrivialAugment

REACH_PX = 60
FACTORS = (-0.99, -0.4, 0.3, 0.99)


def padded(images_BCHW: Tensor) -> Tensor:
    """Reflect the images at their borders, by NumPy."""
    sides = ((0, 0), (0, 0), (REACH_PX, REACH_PX), (REACH_PX, REACH_PX))
    return torch.from_numpy(np.pad(images_BCHW.numpy(), sides, mode="symmetric"))


def affine(images_BCHW: Tensor, **settings: object) -> Tensor:
    """Let torchvision change padded images around the corner of the images themselves."""
    asked = {"angle": 0, "translate": [0, 0], "scale": 1, "shear": [0, 0]} | settings
    corner = [REACH_PX, REACH_PX]
    bilinear = InterpolationMode.BILINEAR
    moved = reference.affine(padded(images_BCHW), **asked, center=corner, interpolation=bilinear)
    return reference.center_crop(moved, list(images_BCHW.shape[2:]))


def rotated(images_BCHW: Tensor, degrees: float) -> Tensor:
    bilinear = InterpolationMode.BILINEAR
    turned = reference.rotate(padded(images_BCHW), degrees, interpolation=bilinear)
    return reference.center_crop(turned, list(images_BCHW.shape[2:]))


def sheared(images_BCHW: Tensor, x: float, y: float) -> Tensor:
    return affine(images_BCHW, shear=[math.degrees(math.atan(x)), math.degrees(math.atan(y))])


# By function: torchvision's, strengths, and the largest difference in levels.
REFERENCES: dict[str, tuple[Callable[[Tensor, float], Tensor], tuple[float, ...], int]] = {
    "shear_x": (lambda x, s: sheared(x, s, 0), FACTORS, 1),
    "shear_y": (lambda x, s: sheared(x, 0, s), FACTORS, 1),
    "translate_x": (lambda x, s: affine(x, translate=[int(s), 0]), (-32.0, -1.9, 5.1), 0),
    "translate_y": (lambda x, s: affine(x, translate=[0, int(s)]), (-32.0, -1.9, 5.1), 0),
    "rotate": (rotated, (-135.0, -20.0, 4.5, 90.0), 1),
    "brighten": (lambda x, s: reference.adjust_brightness(x, 1 + s), FACTORS, 1),
    "saturate": (lambda x, s: reference.adjust_saturation(x, 1 + s), FACTORS, 2),
    "stretch_contrast": (lambda x, s: reference.adjust_contrast(x, 1 + s), FACTORS, 2),
    "sharpen": (lambda x, s: reference.adjust_sharpness(x, 1 + s), FACTORS, 1),
    "posterize": (lambda x, s: reference.posterize(x, 8 - round(s)), (0.0, 1.2, 3.8, 6.0), 0),
    "solarize": (lambda x, s: reference.solarize(x, 255 - s), (0.0, 8.5, 127.0, 255.0), 0),
    "stretch_levels": (lambda x, s: reference.autocontrast(x), (0.0,), 1),
    "equalize": (lambda x, s: reference.equalize(x), (0.0,), 0),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", REFERENCES)
def test_an_operation_equals_torchvisions_up_to_rounding(
    pictures_BCHW: Tensor, name: str, channels: int
) -> None:
    images_BCHW = pictures_BCHW[:, :channels]
    expected, strengths, tolerance = REFERENCES[name]
    operate = getattr(trivial, name)
    changed = 0
    for strength in strengths:
        found = operate(images_BCHW, torch.full((len(images_BCHW), 1, 1, 1), strength))
        difference = found.int() - expected(images_BCHW, strength).int()
        assert difference.abs().max() <= tolerance, strength
        assert found.dtype == torch.uint8
        changed += not torch.equal(found, images_BCHW)
    assert changed > 0 or (name == "saturate" and channels == 1)


def test_the_operations_and_their_strengths_are_torchvisions() -> None:
    names = [
        *("Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness"),
        *("Color", "Contrast", "Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize"),
    ]
    space = TrivialAugmentWide._AUGMENTATION_SPACE
    assert list(space) == names
    for operation, (magnitudes, is_signed) in zip(OPERATIONS, space.values(), strict=True):
        strengths = operation.most * torch.arange(STRONGEST + 1) / STRONGEST
        theirs = magnitudes(STRONGEST + 1, 0, 0)
        if operation.operate is trivial.posterize:
            strengths, theirs = strengths.round(), 8 - theirs
        elif operation.operate is trivial.solarize:
            theirs = 255 * (1 - theirs)
        if theirs is None:
            assert operation.most == 0
        else:
            torch.testing.assert_close(strengths, theirs.float(), rtol=1e-5, atol=1e-4)
        assert operation.is_signed == is_signed


def test_each_image_draws_its_own_operation_strength_and_sign_evenly() -> None:
    kind_N, strength_N = TrivialAugment().draw((14 * 31 * 40, 3, 8, 8), 5, 2)
    kinds = kind_N.long().bincount()
    assert len(kinds) == 14
    assert ((kinds - 1240) ** 2 / 1240).sum() < 34.5  # 13 degrees of freedom: 99.9% quantile
    for kind, operation in enumerate(OPERATIONS):
        strengths = strength_N[kind_N == kind]
        if operation.most == 0:
            assert not strengths.any()
            continue
        levels = (strengths.abs() * STRONGEST / operation.most).round().long().bincount()
        assert len(levels) == 31
        assert ((levels - 40) ** 2 / 40).sum() < 70  # 30 degrees of freedom: 60 at 99.9%
        share_negative = (strengths < 0).float().mean()
        assert (0.4 < share_negative < 0.56) if operation.is_signed else share_negative == 0


def test_a_minibatch_gives_every_image_what_it_gets_alone(pictures_BCHW: Tensor) -> None:
    images_BCHW = pictures_BCHW.repeat(10, 1, 1, 1)
    augment = TrivialAugment()
    drawn_2B = augment.draw(images_BCHW.shape, 0, 0)
    together = augment(images_BCHW, drawn_2B, (0, 0, 0))
    for i in range(len(images_BCHW)):
        alone = augment(images_BCHW[i : i + 1], drawn_2B[:, i : i + 1], (0, 0, 0))
        assert torch.equal(together[i : i + 1], alone)
    assert together.dtype == torch.uint8
    assert drawn_2B[0].unique().tolist() == list(range(14))
