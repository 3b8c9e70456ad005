import math
from itertools import pairwise

import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

from cnn_train.figures.decision_surface import draw_decision_surface
from cnn_train.figures.style import BLUE, GREEN, INK

TRAIN = (torch.tensor([[1.0, 1.0], [-1.0, -1.0]]), torch.tensor([1, 0]))
TEST = (torch.tensor([[0.5, 2.0], [-2.0, -0.5], [-1.5, -2.0]]), torch.tensor([1, 0, 0]))


def test_the_surface_its_points_and_both_losses_are_drawn() -> None:
    surface_GG = torch.linspace(-1, 1, 16).reshape(4, 4)
    losses = ([0.6, 0.4, 0.2], [0.7, 0.5, 0.4])
    figure = draw_decision_surface(surface_GG, 3.0, TRAIN, TEST, losses, "a $ title")
    plane, curves, _ = figure.axes
    (picture,) = plane.images
    assert picture.get_extent() == [-3, 3, -3, 3]
    assert picture.get_array()[0, 0] == -1  # the first row is the top
    counts = [len(cloud.get_offsets()) for cloud in plane.collections]
    assert counts == [2, 1, 1, 1]  # test orange, blue; training orange, blue
    assert plane.collections[1].get_offsets().tolist() == [[0.5, 2.0]]
    lines = {line.get_color(): line.get_ydata() for line in curves.lines}
    assert list(lines[INK]) == losses[0] and list(lines[GREEN]) == losses[1]
    assert list(curves.lines[0].get_xdata()) == [1, 2, 3]
    figure.draw_without_rendering()


def test_a_set_without_a_class_is_drawn_too() -> None:
    only_blue = (torch.tensor([[1.0, 1.0]]), torch.tensor([1]))
    figure = draw_decision_surface(torch.zeros(4, 4), 3.0, TRAIN, only_blue, ([1.0], [1.0]), "")
    assert tuple(figure.axes[0].collections[1].get_edgecolor()[0]) == to_rgba(BLUE)
    figure.draw_without_rendering()


def draw_curves(train: list[float], test: list[float]) -> Axes:
    """Draw a run's losses; return their panel, laid out."""
    figure = draw_decision_surface(torch.zeros(4, 4), 3.0, TRAIN, TEST, (train, test), "")
    figure.draw_without_rendering()
    return figure.axes[1]


@pytest.mark.parametrize("num_epochs", [1, 2, 3, 12, 15, 27, 60, 200, 1000])
def test_epochs_are_ticked_at_round_numbers_from_1_on(num_epochs: int) -> None:
    curves = draw_curves([0.5] * num_epochs, [0.6] * num_epochs)
    first, last = curves.get_xlim()
    ticks = [tick for tick in curves.get_xticks() if first <= tick <= last]
    assert first < 1 and num_epochs < last
    assert ticks[0] >= 1 and ticks[-1] > 0.75 * num_epochs and len(ticks) >= min(num_epochs, 4)
    strides = {b - a for a, b in pairwise(ticks)}
    assert strides <= {scale * size for scale in (1, 2, 5) for size in (1, 10, 100)}


@pytest.mark.parametrize("losses", [[0.70, 0.69], [0.7], [3.0, 0.1], [0.01, math.inf]])
def test_no_loss_touches_the_top_of_its_panel(losses: list[float]) -> None:
    curves = draw_curves(losses, losses)
    bottom, top = curves.get_ylim()
    assert bottom == 0
    largest = max(loss for loss in losses if math.isfinite(loss))
    assert 1.04 * largest < top < 1.1 * largest


def test_a_run_of_one_epoch_shows_its_losses_as_points() -> None:
    markers = {line.get_marker() for line in draw_curves([0.5], [0.6]).lines}
    assert markers == {"o"}
