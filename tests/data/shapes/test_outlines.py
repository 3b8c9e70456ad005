import math

import numpy as np
import pytest

from cnn_train.data.shapes.canvas import pixel_centres
from cnn_train.data.shapes.outlines import OUTLINES, disc, polygon

POINTS_PX = 256
SLACKS = (-1.0, 0.0, 1.0)


def plane():
    """Points on [-1.5, 1.5], as 11HW planes."""
    x, y = pixel_centres(POINTS_PX)
    return 1.5 * x, 1.5 * y


def one(number: float) -> np.ndarray:
    return np.full((1, 1, 1, 1), number, dtype=np.float32)


def distance_at(name: str, x: float, y: float) -> float:
    return float(OUTLINES[name](one(x), one(y), one(0.0)).item())


def test_the_distance_to_a_square_equals_the_textbook_formula():
    x, y = plane()
    gap_x, gap_y = np.abs(x) - 0.5, np.abs(y) - 0.5
    outside = np.hypot(np.maximum(gap_x, 0), np.maximum(gap_y, 0))
    expected = outside + np.minimum(np.maximum(gap_x, gap_y), 0)
    corners = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)]
    np.testing.assert_allclose(polygon(x, y, corners), expected, atol=1e-6)
    np.testing.assert_allclose(polygon(x, y, corners[::-1]), expected, atol=1e-6)


def test_a_polygon_with_many_corners_is_nearly_a_disc():
    x, y = plane()
    angles = [2 * math.pi * i / 90 for i in range(90)]
    corners = [(0.8 * math.cos(angle), 0.8 * math.sin(angle)) for angle in angles]
    np.testing.assert_allclose(polygon(x, y, corners), disc(x, y, 0.8), atol=1e-3)


@pytest.mark.parametrize(
    ("name", "x", "y", "distance"),
    [
        ("circle", 0, 0, -0.85),
        ("circle", 3, 4, 4.15),
        ("square", 1.76, 0, 1.0),
        ("square", 0, 0, -0.76),
        ("arrow", 0, -2, 1.0),
        ("arrow", 0, 0.5, -0.27),
        ("cross", 0, 1.95, 1.0),
        ("crescent", -1.95, 0, 1.0),
        ("crescent", 0.5, 0, 0.8),
        ("drop", 0, -2, 1.0),
        ("drop", 0, 1.95, 1.0),
        ("flower", 0, -1.95, 1.0),
        ("heart", 0, 1.95, 1.0),
        ("star", 0, -2.05, 1.0),
        ("triangle", 0, 1.7, 1.0),
    ],
)
def test_distances_equal_those_measured_with_a_ruler(name, x, y, distance):
    assert distance_at(name, x, y) == pytest.approx(distance, abs=1e-6)


@pytest.mark.parametrize("slack", SLACKS)
@pytest.mark.parametrize("name", OUTLINES)
def test_outside_every_outline_the_distance_is_the_distance_to_the_nearest_inner_point(name, slack):
    x, y = plane()
    distance = OUTLINES[name](x, y, one(slack))
    inner = np.stack([x[distance <= 0], y[distance <= 0]], axis=1)
    some = np.flatnonzero(distance > 0)[::97]
    outer = np.stack([x.flat[some], y.flat[some]], axis=1)
    nearest = np.hypot(*(outer[:, None] - inner[None]).transpose(2, 0, 1)).min(axis=1)
    shortfall = nearest - distance.flat[some]  # the grid misses the very tips
    flattening = 0.1 if name == "circle" else 0.0  # an ellipse's distance is approximate
    assert (shortfall >= -1e-6 - flattening * nearest).all()
    assert (shortfall <= 4 * 3 / POINTS_PX + flattening * nearest).all()


@pytest.mark.parametrize("slack", SLACKS)
@pytest.mark.parametrize("name", OUTLINES)
def test_every_outline_is_centred_and_fills_its_plane(name, slack):
    x, y = plane()
    inside = OUTLINES[name](x, y, one(slack)) < 0
    for axis in (x, y):
        low, high = axis[inside].min(), axis[inside].max()
        assert -1.1 <= low <= -0.4 and 0.4 <= high <= 1.1
    assert 0.08 < inside.mean() < 0.4


@pytest.mark.parametrize("name", sorted(set(OUTLINES) - {"crescent"}))
def test_all_but_the_crescent_are_mirror_images_of_themselves(name):
    x, y = plane()
    distance = OUTLINES[name](x, y, one(0.5))
    np.testing.assert_allclose(distance, distance[..., ::-1], atol=1e-6)


@pytest.mark.parametrize("name", OUTLINES)
def test_slack_changes_the_outline(name):
    x, y = plane()
    thin, fat = (OUTLINES[name](x, y, one(slack)) < 0 for slack in (-1, 1))
    assert (thin != fat).mean() > 0.005


def test_each_image_has_its_own_slack():
    x, y = (np.repeat(axis, 2, axis=0) for axis in plane())
    both = OUTLINES["star"](x, y, np.concatenate([one(-1), one(1)]))
    for i, slack in enumerate((-1, 1)):
        alone = OUTLINES["star"](x[:1], y[:1], one(slack))
        np.testing.assert_array_equal(both[i : i + 1], alone)
