import torch

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
    edge = figure.axes[0].collections[1].get_edgecolor()
    assert tuple(edge[0][:3]) == tuple(int(BLUE[i : i + 2], 16) / 255 for i in (1, 3, 5))
    figure.draw_without_rendering()
