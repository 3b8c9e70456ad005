import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as reference

from cnn_train.data.augment.shaping import WHOLE, TurnAndCrop, middle

RATIO = (3 / 4, 4 / 3)
BLACK = (0, 0, 0)


def test_a_part_equals_torchvisions_but_for_pixels_that_see_beyond_it(
    pictures_BCHW: Tensor,
) -> None:
    """There torchvision repeats the part's outermost pixels."""
    _, _, height, width = pictures_BCHW.shape
    crop = TurnAndCrop(0, (0.15, 1), RATIO)
    drawn_6B = crop.draw(pictures_BCHW.shape, 3, 1)
    for image_CHW, found_CHW, drawn_6 in zip(
        pictures_BCHW, crop(pictures_BCHW, drawn_6B, BLACK), drawn_6B.T, strict=True
    ):
        left, top, part_width, part_height = drawn_6[2:].long().tolist()
        expected = reference.resized_crop(
            image_CHW, top, left, part_height, part_width, [height, width]
        )
        y = math.ceil(height / part_height / 2 - 0.5)
        x = math.ceil(width / part_width / 2 - 0.5)
        inner = (slice(None), slice(y, height - y), slice(x, width - x))
        assert (found_CHW[inner].int() - expected[inner].int()).abs().max() <= 1


def test_a_turn_equals_torchvisions_of_the_reflected_image(pictures_BCHW: Tensor) -> None:
    turn = TurnAndCrop(180, WHOLE, RATIO)
    drawn_6B = turn.draw(pictures_BCHW.shape, 0, 0)
    reach = ((0, 0), (30, 30), (30, 30))
    for image, found, (cosine, sine) in zip(
        pictures_BCHW, turn(pictures_BCHW, drawn_6B, BLACK), drawn_6B[:2].T, strict=True
    ):
        padded = torch.from_numpy(np.pad(image.numpy(), reach, mode="symmetric"))
        degrees = math.degrees(math.atan2(sine, cosine))
        turned = reference.rotate(padded, degrees, reference.InterpolationMode.BILINEAR)
        difference = found.int() - reference.center_crop(turned, list(image.shape[1:])).int()
        assert difference.abs().max() <= 1


def test_turned_and_cropped_is_a_part_of_the_turned_image(pictures_BCHW: Tensor) -> None:
    """A turn by 90 degrees moves whole pixels: torchvision's two steps lose nothing in between."""
    square_BCHW = pictures_BCHW[..., :20]
    drawn_6B = torch.tensor([0.0, 1.0, 3.0, 6.0, 12.0, 10.0]).expand(12, 6).T
    found_BCHW = TurnAndCrop(90, (0.3, 0.3), RATIO)(square_BCHW, drawn_6B, BLACK)
    turned_BCHW = reference.rotate(square_BCHW, 90)
    expected_BCHW = reference.resized_crop(turned_BCHW, 6, 3, 10, 12, [20, 20])
    difference = (found_BCHW.int() - expected_BCHW.int())[..., 1:-1, 1:-1]
    assert difference.abs().max() <= 1


def test_angles_are_drawn_evenly_to_both_sides() -> None:
    cosine, sine = TurnAndCrop(30, WHOLE, RATIO).draw((2000, 3, 8, 8), 0, 0)[:2]
    angle_N = torch.atan2(sine, cosine).rad2deg()
    assert angle_N.abs().max() <= 30
    counts = angle_N.histc(10, -30, 30)
    assert ((counts - 200) ** 2 / 200).sum() < 27.9  # 9 degrees of freedom: 99.9% quantile


def test_an_image_without_a_turn_and_with_the_whole_as_its_part_stays(
    pictures_BCHW: Tensor,
) -> None:
    for crop in (TurnAndCrop(0, (1, 1), RATIO), TurnAndCrop(0, (0.999, 1), (1.2, 1.2))):
        drawn_6B = crop.draw(pictures_BCHW.shape, 0, 0)  # 24 × 20: its own ratio
        assert torch.equal(crop(pictures_BCHW, drawn_6B, BLACK), pictures_BCHW)


@pytest.mark.parametrize(
    ("ratio", "part"),
    [((0.75, 1.34), [0, 0, 24, 20]), ((2, 3), [0, 4, 24, 12]), ((0.25, 0.5), [7, 0, 10, 20])],
)
def test_where_no_draw_fits_the_largest_part_in_the_middle_is_taken(
    ratio: tuple[float, float], part: list[int]
) -> None:
    """As torchvision does: of 24 × 20 px, an area of all of them with another shape."""
    assert middle(24, 20, ratio).tolist() == part
    drawn_6N = TurnAndCrop(0, (0.999, 1), ratio).draw((4, 3, 20, 24), 0, 0)
    assert drawn_6N[2:].T.tolist() == [part] * 4
