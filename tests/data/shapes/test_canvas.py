import math

import numpy as np
import pytest

from cnn_train.data.shapes.canvas import (
    Dice,
    blend,
    colour_of,
    opacity_inside,
    pixel_centres,
    turned,
)


def make_dice(num_images: int = 1000) -> Dice:
    return Dice(np.random.default_rng(0), num_images)


def one(number: float) -> np.ndarray:
    return np.full((1, 1, 1, 1), number, dtype=np.float32)


def test_the_pixels_of_a_canvas_are_centred_on_it():
    x, y = pixel_centres(4)
    np.testing.assert_array_equal(x[0, 0, 2], [-0.75, -0.25, 0.25, 0.75])
    np.testing.assert_array_equal(y[0, 0, :, 2], [-0.75, -0.25, 0.25, 0.75])


def test_a_quarter_turn_swaps_the_axes():
    x, y = turned(one(0.2), one(0.7), one(math.pi / 2))
    assert (x.item(), y.item()) == (pytest.approx(0.7), pytest.approx(-0.2))


def test_draws_stay_within_their_bounds_and_use_them():
    numbers = make_dice().uniform(2, 5)
    assert numbers.shape == (1000, 1, 1, 1)
    assert 2 <= numbers.min() < 2.05 and 4.95 < numbers.max() < 5
    assert make_dice().chance(0.3).mean() == pytest.approx(0.3, abs=0.05)
    assert make_dice().chance(0).sum() == 0 and make_dice().chance(1).sum() == 1000


def test_a_draw_takes_equally_many_numbers_whatever_its_bounds():
    narrow, wide = make_dice(), make_dice()
    narrow.spread(0)
    narrow.chance(0)
    wide.spread(9)
    wide.chance(1)
    np.testing.assert_array_equal(narrow.angle(), wide.angle())


def test_clouds_are_smooth_pass_through_their_heights_and_stay_in_range():
    clouds = make_dice(50).clouds(4, 64)
    assert clouds.shape == (50, 1, 64, 64)
    assert clouds.min() >= 0 and clouds.max() <= 1 and clouds.std() > 0.1
    assert np.abs(np.diff(clouds, axis=3)).max() < 0.1
    heights = np.random.default_rng(0).random((50, 1, 4, 4), dtype=np.float32)
    np.testing.assert_allclose(clouds[..., ::63, ::63], heights[..., ::3, ::3], atol=1e-6)


def test_opacity_is_the_share_of_a_pixel_inside_a_straight_edge():
    """Canvas of four pixels, each 0.5 wide; the edge runs through the third at 30 % of it."""
    x, _ = pixel_centres(4)
    np.testing.assert_allclose(opacity_inside(x - 0.15)[0, 0, 0], [1, 1, 0.3, 0], atol=1e-6)


def test_blending_runs_from_below_to_above():
    blended = [blend(one(0.2), one(0.8), one(opacity)).item() for opacity in (0, 0.5, 1)]
    assert blended == pytest.approx([0.2, 0.5, 0.8])


@pytest.mark.parametrize(
    ("srgb", "lightness", "chroma", "hue_degrees"),
    [
        ((1, 1, 1), 1.0, 0.0, 0.0),
        ((0, 0, 0), 0.0, 0.0, 0.0),
        ((1, 0, 0), 0.62796, 0.25768, 29.234),
        ((0, 1, 0), 0.86644, 0.29483, 142.495),
        ((0, 0, 1), 0.45201, 0.31321, 264.052),
    ],
)
def test_colours_equal_the_published_oklch_values_of_the_primaries(
    srgb, lightness, chroma, hue_degrees
):
    colour = colour_of(one(lightness), one(chroma), one(math.radians(hue_degrees)))
    assert colour.shape == (1, 3, 1, 1)
    np.testing.assert_allclose(colour.ravel(), srgb, atol=0.01)
