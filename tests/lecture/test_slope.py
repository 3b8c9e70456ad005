import math

import pytest
import torch
from torch import Tensor

from cnn_train.errors import UsageError
from cnn_train.lecture.slope import Slopes, Value, measure_slopes, random_direction

POINT_P = torch.tensor([0.3, -1.2, 2.0], dtype=torch.float64)
GRADIENT_P = POINT_P.cos() + torch.tensor([-1.2, 0.3, 0.0], dtype=torch.float64)
"""Of Σ sin x + x₀ x₁, by hand."""


def value(point_P: Tensor) -> float:
    return float(point_P.sin().sum() + point_P[0] * point_P[1])


def measure(
    num_random: int = 200, seed: int = 0, function: Value = value,
    gradient_P: Tensor = GRADIENT_P, point_P: Tensor = POINT_P,
) -> Slopes:  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    return measure_slopes(
        function, gradient_P, point_P, num_random=num_random, generator=generator, h=1e-5
    )


def test_measured_slopes_are_the_gradient_times_the_direction() -> None:
    slopes = measure()
    for direction in slopes.directions:
        assert direction.numeric == pytest.approx(direction.dot, abs=1e-9)
        cosine = math.cos(math.radians(direction.angle_degrees))
        assert direction.dot == pytest.approx(slopes.gradient_norm * cosine, abs=1e-9)
    assert slopes.largest_difference < 1e-9


def test_no_direction_is_steeper_than_along_the_gradient_and_against_it() -> None:
    slopes = measure()
    along, *_, against = [d for d in slopes.directions if not d.is_random]
    assert (along.angle_degrees, against.angle_degrees) == (0.0, 180.0)
    assert along.numeric == pytest.approx(slopes.gradient_norm)
    assert max(slopes.directions, key=lambda d: d.numeric) is along
    assert min(slopes.directions, key=lambda d: d.numeric) is against
    assert sum(d.is_random for d in slopes.directions) == 200


def test_directions_are_turned_by_the_angles_that_are_named() -> None:
    turned = [d.angle_degrees for d in measure(0).directions]
    assert turned == pytest.approx([0, 45, 90, 135, 180])


def test_in_many_dimensions_a_random_direction_is_almost_at_right_angles() -> None:
    point_P = torch.zeros(10_000, dtype=torch.float64)
    slopes = measure(20, 0, lambda at_P: float(at_P.sum()), torch.ones_like(point_P), point_P)
    angles = [d.angle_degrees for d in slopes.directions if d.is_random]
    assert all(86 < angle < 94 for angle in angles)


def test_one_dimension_has_two_directions() -> None:
    point_P = torch.tensor([2.0], dtype=torch.float64)
    slopes = measure(0, 0, lambda at_P: float(at_P[0] ** 2), 2 * point_P, point_P)
    assert [d.numeric for d in slopes.directions] == pytest.approx([4.0, -4.0])


def test_the_same_seed_gives_the_same_directions_of_unit_length() -> None:
    assert measure(3, seed=5) == measure(3, seed=5) != measure(3, seed=6)
    assert random_direction(POINT_P, torch.Generator()).norm() == pytest.approx(1)


@pytest.mark.parametrize(
    ("slope", "message"), [(0.0, "the gradient is 0 at"), (1e308, "the gradient is too long")]
)
def test_a_gradient_without_a_direction_is_refused(slope: float, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        measure(gradient_P=torch.full((3,), slope, dtype=torch.float64))
