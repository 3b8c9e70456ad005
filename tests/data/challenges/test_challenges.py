"""Each challenge against its formula, and what all of them promise; a new one is tested by
being in the table."""

import math

import pytest
import torch
from torch import Tensor
from torchvision.transforms import functional as reference

from cnn_train.data.challenges import CHALLENGES
from cnn_train.data.challenges.deformation import ripple, shear
from cnn_train.data.challenges.illumination import (
    cast_colour,
    change_brightness,
    change_gamma,
    reduce_contrast,
)
from cnn_train.data.challenges.obstruction import add_noise, add_texture, cover, frame
from cnn_train.data.challenges.viewpoint import rotate, shift, tilt, zoom

GROUPS = {"viewpoint", "illumination", "deformation", "occlusion", "clutter"}

every_challenge = pytest.mark.parametrize("name", CHALLENGES)


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise_images(
    num_images: int = 6, height: int = 16, width: int = 16, channels: int = 3
) -> Tensor:
    shape = (num_images, channels, height, width)
    return torch.randint(256, shape, generator=chance(3), dtype=torch.uint8)


def flat_images(level: int, num_images: int = 64, side_px: int = 8) -> Tensor:
    return torch.full((num_images, 3, side_px, side_px), level, dtype=torch.uint8)


def smooth_images(side_px: int = 32) -> Tensor:
    """A slow wave per channel: bilinear interpolation hardly changes it."""
    x = torch.linspace(0, math.pi, side_px)
    waves = torch.stack([x.sin()[None] * x.cos()[:, None].abs(), x.sin()[:, None] * x.sin()[None],
                         (0.5 * x).cos()[None].expand(side_px, -1)])  # fmt: skip
    return (255 * waves).round().to(torch.uint8)[None]


def test_the_lectures_challenges_are_all_there() -> None:
    assert {challenge.group for challenge in CHALLENGES.values()} == GROUPS


@every_challenge
def test_severity_0_is_the_very_same_tensor(name: str) -> None:
    images_BCHW = noise_images()
    assert CHALLENGES[name].apply(images_BCHW, 0, chance()) is images_BCHW


@every_challenge
@pytest.mark.parametrize("shape", [(3, 12, 20), (1, 9, 9)])
def test_bytes_of_the_same_shape_come_back_and_the_given_ones_are_left_alone(
    name: str, shape: tuple[int, int, int]
) -> None:
    channels, height, width = shape
    images_BCHW = noise_images(4, height, width, channels)
    before_BCHW = images_BCHW.clone()
    after_BCHW = CHALLENGES[name].apply(images_BCHW, 5, chance())
    assert (after_BCHW.dtype, after_BCHW.shape) == (torch.uint8, images_BCHW.shape)
    assert torch.equal(images_BCHW, before_BCHW)
    assert not torch.equal(after_BCHW, before_BCHW)


@every_challenge
def test_equal_seeds_change_equally_and_others_differently(name: str) -> None:
    images_BCHW, apply = noise_images(20), CHALLENGES[name].apply
    assert torch.equal(apply(images_BCHW, 3, chance(1)), apply(images_BCHW, 3, chance(1)))
    if name != "contrast":  # which leaves nothing to chance
        assert not torch.equal(apply(images_BCHW, 3, chance(1)), apply(images_BCHW, 3, chance(2)))


@every_challenge
def test_each_severity_is_farther_from_the_clean_images(name: str) -> None:
    images_BCHW = smooth_images().expand(40, -1, -1, -1)
    images_BCHW = torch.cat([images_BCHW, images_BCHW.flip(3), 255 - images_BCHW])
    distances = [
        (CHALLENGES[name].apply(images_BCHW, severity, chance()).float() - images_BCHW)
        .square().mean().item()
        for severity in range(6)
    ]  # fmt: skip
    assert distances == sorted(distances)
    assert distances[1] > 0


@every_challenge
def test_images_do_not_all_change_alike(name: str) -> None:
    if name in ("contrast", "pasted border"):  # the first has no chance, the second needs strangers
        return
    images_BCHW = smooth_images().expand(30, -1, -1, -1)
    after_BCHW = CHALLENGES[name].apply(images_BCHW, 3, chance())
    assert len(after_BCHW.flatten(1).unique(dim=0)) > 1


def test_shifting_by_whole_pixels_equals_rolling_away_from_the_borders() -> None:
    images_BCHW = noise_images(40)
    after_BCHW = shift(images_BCHW, 2 / 16, chance())
    rolls = [
        images_BCHW.roll((dy, dx), dims=(2, 3))
        for dy in range(-2, 3)
        for dx in range(-2, 3)
        if round(math.hypot(dx, dy)) in (1, 2)  # (1, 1) lies nearest to 2 px at 45 degrees
    ]
    inside = (..., slice(2, 14), slice(2, 14))
    matches_B = torch.stack(
        [(after_BCHW[inside] == one[inside]).flatten(1).all(1) for one in rolls]
    ).any(0)
    assert matches_B.all()


def test_a_quarter_turn_equals_rot90() -> None:
    images_BCHW = noise_images(20)
    after_BCHW = rotate(images_BCHW, 90, chance())
    turned = [images_BCHW.rot90(k, dims=(2, 3)) for k in (1, -1)]
    is_left_B, is_right_B = ((after_BCHW == one).flatten(1).all(1) for one in turned)
    assert (is_left_B ^ is_right_B).all()
    assert is_left_B.any() and is_right_B.any()


def test_turning_equals_torchvisions_inside_the_circle() -> None:
    images_BCHW = smooth_images().expand(8, -1, -1, -1)
    after_BCHW = rotate(images_BCHW, 20, chance()).float()
    expected = [
        reference.rotate(images_BCHW, angle, reference.InterpolationMode.BILINEAR).float()
        for angle in (20, -20)
    ]
    middle = (..., slice(6, 26), slice(6, 26))
    errors_B = [(after_BCHW - one)[middle].abs().flatten(1).amax(1) for one in expected]
    assert torch.minimum(*errors_B).max() <= 1  # level: two ways to round


def test_zooming_by_two_shows_the_middle_half_or_all_of_it_half_as_large() -> None:
    images_BCHW = torch.zeros(20, 3, 16, 16, dtype=torch.uint8)
    images_BCHW[:, :, 4:12, 4:12] = 200
    after_BCHW = zoom(images_BCHW, 2, chance())
    bright_BHW = after_BCHW[:, 0] > 100
    smaller_HW = torch.zeros(16, 16, dtype=torch.bool)
    smaller_HW[6:10, 6:10] = True  # and reflections of the middle in the corners and at the borders
    for place in (slice(0, 2), slice(14, 16), slice(6, 10)):
        for other in (slice(0, 2), slice(14, 16), slice(6, 10)):
            smaller_HW[place, other] = True
    is_smaller_B = (bright_BHW == smaller_HW).flatten(1).all(1)
    is_larger_B = bright_BHW.flatten(1).all(1)
    assert (is_smaller_B ^ is_larger_B).all()
    assert is_smaller_B.any() and is_larger_B.any()


def test_tilting_moves_a_point_as_its_formula_says() -> None:
    """Content at (x, y) / (1 + depth) is seen at (x, y): one bright pixel, worked by hand."""
    side_px = 33
    images_BCHW = torch.zeros(1, 1, side_px, side_px, dtype=torch.uint8)
    images_BCHW[..., 16, 24] = 255  # x = 8, y = 0 from the middle
    for seed in range(5):
        angle = 2 * math.pi * torch.rand(1, 1, 1, 1, generator=chance(seed)).item()
        after_HW = tilt(images_BCHW, 0.3, chance(seed))[0, 0].float()
        x = 8 / (1 - 8 * 0.3 * math.cos(angle) / 16.5)  # solves x / (1 + 0.3 x cos a / 16.5) = 8
        weights = after_HW.sum(dim=0)
        centre = (weights * (torch.arange(side_px) - 16)).sum() / weights.sum()
        assert centre.item() == pytest.approx(x, abs=0.35)
        assert after_HW.sum(dim=1).argmax() == 16  # on the axis it stays on the axis


def test_shearing_leaves_the_middle_row_or_the_middle_column_in_place() -> None:
    images_BCHW = noise_images(20, 17, 17)
    after_BCHW = shear(images_BCHW, 0.5, chance())
    row_B = (after_BCHW[:, :, 8] == images_BCHW[:, :, 8]).flatten(1).all(1)
    column_B = (after_BCHW[..., 8] == images_BCHW[..., 8]).flatten(1).all(1)
    assert (row_B ^ column_B).all()
    assert row_B.any() and column_B.any()


def test_a_ripple_moves_points_by_its_strength_on_average() -> None:
    """On the image of x itself, the change of levels is the displacement."""
    ramp_W = (torch.arange(64) * 2 + 64).to(torch.uint8)
    images_BCHW = ramp_W.expand(200, 1, 64, 64)
    change = (
        ripple(images_BCHW, 0.05, chance())[..., 16::16, 16::16].float()
        - images_BCHW[..., 16::16, 16::16]
    )
    moved_px = change / 2
    assert moved_px.square().mean().sqrt().item() == pytest.approx(0.05 * 64, rel=0.15)
    assert moved_px.mean().item() == pytest.approx(0, abs=0.5)


def test_brightness_adds_or_takes_its_share_of_the_range_and_clips() -> None:
    assert change_brightness(flat_images(100), 0.2, chance()).unique().tolist() == [49, 151]
    assert change_brightness(flat_images(250), 0.2, chance()).unique().tolist() == [199, 255]


def test_contrast_keeps_the_mean_and_shrinks_the_differences() -> None:
    images_BCHW = torch.tensor([0, 200], dtype=torch.uint8).expand(2, 3, 4, 2)
    after_BCHW = reduce_contrast(images_BCHW, 0.75, chance())
    assert after_BCHW.unique().tolist() == [75, 125]


def test_gamma_bends_the_levels_between_but_not_the_ends() -> None:
    levels = [round(255 * (64 / 255) ** gamma) for gamma in (2, 0.5)]
    assert change_gamma(flat_images(64), 2, chance()).unique().tolist() == sorted(levels)
    for end in (0, 255):
        assert change_gamma(flat_images(end), 2, chance()).unique().tolist() == [end]


def test_a_colour_cast_changes_the_balance_but_hardly_the_mean_of_grey() -> None:
    after_BCHW = cast_colour(flat_images(100), 0.5, chance()).float()
    assert after_BCHW.mean(dim=1).sub(100).abs().max() <= 1  # the gains' cosines cancel
    assert (after_BCHW.amax(dim=1) - after_BCHW.amin(dim=1)).min() > 50


@pytest.mark.parametrize(("strength", "side_px"), [(0.25, 4), (0.5, 8), (0.75, 12)])
def test_a_cutout_hides_exactly_one_grey_square_inside(strength: float, side_px: int) -> None:
    after_BCHW = cover(flat_images(0, side_px=16), strength, chance())
    hidden_BHW = after_BCHW[:, 0] == 128
    assert (hidden_BHW.sum(dim=(1, 2)) == side_px**2).all()
    assert (hidden_BHW.any(dim=1).sum(dim=1) == side_px).all()
    assert torch.equal(after_BCHW.unique(), torch.tensor([0, 128], dtype=torch.uint8))


def test_noise_has_the_deviation_of_its_strength() -> None:
    after_BCHW = add_noise(flat_images(128, side_px=32), 0.1, chance()).float()
    assert after_BCHW.std().item() == pytest.approx(25.5, rel=0.02)
    assert after_BCHW.mean().item() == pytest.approx(128, abs=0.3)


def test_a_texture_stays_within_its_strength_and_comes_near_it() -> None:
    change = add_texture(flat_images(128, side_px=32), 0.2, chance()).float() - 128
    assert change.abs().max() <= 51
    assert change.abs().flatten(1).amax(1).min() > 40


def test_a_frame_comes_from_another_image_and_the_middle_stays() -> None:
    number_B = torch.arange(50, dtype=torch.uint8)
    images_BCHW = number_B[:, None, None, None].expand(-1, 3, 16, 16)
    after_BCHW = frame(images_BCHW, 1 / 8, chance())
    assert torch.equal(after_BCHW[..., 2:14, 2:14], images_BCHW[..., 2:14, 2:14])
    border_B = after_BCHW[:, 0, 0, 0]
    assert (border_B != number_B).all()
    assert border_B.sort().values.equal(number_B)
    outside = after_BCHW.float().sum(dim=(1, 2, 3)) - 3 * 144 * number_B.float()
    assert torch.equal(outside, 3 * (256 - 144) * border_B.float())
