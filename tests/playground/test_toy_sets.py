import math

import pytest
import torch

from cnn_train.playground.toy_sets import REACH, SPIRAL_TURNS, TOY_SETS, Points, draw_toy_set

every_set = pytest.mark.parametrize("name", TOY_SETS)


def draw(name: str, noise: float = 0.0, seed: int = 0, num_points: int = 200) -> Points:
    """Draw all points as training points."""
    return draw_toy_set(name, num_points, noise, 1.0, seed)[0]


@every_set
def test_points_are_cut_into_two_parts_with_as_many_of_each_class(name: str) -> None:
    train, test = draw_toy_set(name, 200, 0.1, 0.7, seed=3)
    assert (len(train), len(test)) == (140, 60)
    for part in (train, test):
        assert part.points_N2.shape == (len(part), 2)
        assert part.points_N2.dtype == torch.float64
        assert part.labels_N.bincount().tolist() == [len(part) // 2] * 2
        assert bool(part.points_N2.isfinite().all())


@every_set
def test_the_seed_decides_every_point(name: str) -> None:
    once, again, other = draw(name, 0.2), draw(name, 0.2), draw(name, 0.2, seed=1)
    assert torch.equal(once.points_N2, again.points_N2)
    assert not torch.equal(once.points_N2, other.points_N2)


@every_set
def test_more_noise_moves_the_same_points_further_the_same_way(name: str) -> None:
    still, near, far = (draw(name, noise).points_N2 for noise in (0.0, 0.1, 0.3))
    assert torch.allclose(far - still, 3 * (near - still))
    assert (near - still).std().item() == pytest.approx(0.1, rel=0.15)


@pytest.mark.parametrize("name", ["circle", "xor", "spiral"])
def test_without_noise_points_stay_within_reach(name: str) -> None:
    assert draw(name).points_N2.abs().max() <= REACH


def test_the_circle_is_blue_within_and_orange_around() -> None:
    points = draw("circle")
    radius_N = points.points_N2.norm(dim=1)
    assert radius_N[points.labels_N == 1].max() < radius_N[points.labels_N == 0].min()


def test_xor_is_blue_where_both_coordinates_have_the_same_sign() -> None:
    points = draw("xor")
    same_N = points.points_N2.prod(dim=1) > 0
    assert torch.equal(same_N, points.labels_N == 1)


def test_the_clouds_of_gauss_lie_on_both_sides_of_a_line() -> None:
    points = draw("gauss")
    right_N = (points.points_N2.sum(dim=1) > 0) == (points.labels_N == 1)
    assert right_N.double().mean() > 0.99


def test_each_arm_of_the_spiral_turns_evenly_with_its_distance_and_half_a_turn_apart() -> None:
    points = draw("spiral")
    x1_N, x2_N = points.points_N2.unbind(1)
    turn_N = SPIRAL_TURNS * points.points_N2.norm(dim=1) / REACH + 0.5 * points.labels_N
    angle_N = torch.atan2(x1_N, x2_N) / (2 * math.pi)
    difference_N = (turn_N - angle_N + 0.5) % 1 - 0.5  # whole turns do not count
    assert difference_N.abs().max() < 1e-9
