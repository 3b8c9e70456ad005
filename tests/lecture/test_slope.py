import math

import pytest
import torch
from torch import Tensor

from cnn_train.errors import UsageError
from cnn_train.lecture.slope import Slopes, measure_slopes, random_direction

POINT_P = torch.tensor([0.3, -1.2, 2.0], dtype=torch.float64)


def value(point_P: Tensor) -> float:
    return float(point_P.sin().sum() + point_P[0] * point_P[1])


def gradient(point_P: Tensor) -> Tensor:
    leaf_P = point_P.clone().requires_grad_()
    (leaf_P.sin().sum() + leaf_P[0] * leaf_P[1]).backward()  # type: ignore[no-untyped-call]
    assert leaf_P.grad is not None
    return leaf_P.grad


def measure(num_random: int = 200, seed: int = 0) -> Slopes:
    generator = torch.Generator().manual_seed(seed)
    return measure_slopes(
        value, gradient(POINT_P), POINT_P, num_random=num_random, generator=generator, h=1e-5
    )


def test_measured_slopes_are_the_gradient_times_the_direction() -> None:
    slopes = measure()
    for one in slopes.directions:
        assert one.numeric == pytest.approx(one.dot, abs=1e-9)
        cosine = math.cos(math.radians(one.angle_degrees))
        assert one.dot == pytest.approx(slopes.gradient_norm * cosine, abs=1e-9)
    assert slopes.largest_difference < 1e-9


def test_no_direction_is_steeper_than_along_the_gradient_and_against_it() -> None:
    slopes = measure()
    along, *_, against = [one for one in slopes.directions if not one.is_random]
    assert (along.angle_degrees, against.angle_degrees) == (0.0, 180.0)
    assert along.numeric == pytest.approx(slopes.gradient_norm)
    assert max(slopes.directions, key=lambda one: one.numeric) is along
    assert min(slopes.directions, key=lambda one: one.numeric) is against
    assert sum(one.is_random for one in slopes.directions) == 200


def test_directions_are_turned_by_the_angles_that_are_named() -> None:
    turned = [one.angle_degrees for one in measure(0).directions]
    assert turned == pytest.approx([0, 45, 90, 135, 180])


def test_in_many_dimensions_a_random_direction_is_almost_at_right_angles() -> None:
    point_P = torch.zeros(10_000, dtype=torch.float64)
    slopes = measure_slopes(
        lambda at_P: float(at_P.sum()), torch.ones_like(point_P), point_P,
        num_random=20, generator=torch.Generator().manual_seed(0), h=1e-3,
    )  # fmt: skip
    angles = [one.angle_degrees for one in slopes.directions if one.is_random]
    assert all(86 < angle < 94 for angle in angles)


def test_one_dimension_has_two_directions() -> None:
    point_P = torch.tensor([2.0], dtype=torch.float64)
    slopes = measure_slopes(
        lambda at_P: float(at_P[0] ** 2), 2 * point_P, point_P,
        num_random=0, generator=torch.Generator(), h=1e-5,
    )  # fmt: skip
    assert [one.numeric for one in slopes.directions] == pytest.approx([4.0, -4.0])


def test_the_same_seed_gives_the_same_directions_of_unit_length() -> None:
    assert measure(3, seed=5) == measure(3, seed=5) != measure(3, seed=6)
    assert random_direction(POINT_P, torch.Generator()).norm() == pytest.approx(1)


@pytest.mark.parametrize(
    ("slope", "message"), [(0.0, "the gradient is 0 at"), (1e308, "the gradient is too long")]
)
def test_a_gradient_without_a_direction_is_refused(slope: float, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        measure_slopes(
            value, torch.full((3,), slope, dtype=torch.float64), POINT_P,
            num_random=1, generator=torch.Generator(), h=1e-5,
        )  # fmt: skip
