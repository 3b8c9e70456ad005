import pytest
import torch

from cnn_train.figures.slices import draw_examples, draw_slices
from cnn_train.metrics.slices import ClassSlice, Slice


def curve(group: str, name: str, severities: tuple[int, ...], accuracy: tuple[float, ...]) -> Slice:
    unknown = (None,) * len(severities)
    return Slice(group, name, 8, severities, unknown, accuracy, unknown)


CURVES = [
    curve("viewpoint", "shift", (0, 1, 5), (0.5, 0.25, 0.125)),
    curve("viewpoint", "rotate", (0, 1, 5), (0.5, 0.5, 0.25)),
    curve("clutter", "noise", (0, 1, 5), (0.5, 0.125, 0.125)),
]
CLASSES = [
    ClassSlice("easy", 0.9, 0.2),
    ClassSlice("c$a$t", 0.1, 1.25),
    ClassSlice("none", None, None),
]


def test_each_group_has_a_panel_with_its_curves_in_percent():
    figure = draw_slices(CURVES, [], chance=0.1, largest=0.41, title="title")
    figure.draw_without_rendering()
    viewpoint, clutter = (axes for axes in figure.axes if axes.get_visible())
    assert (viewpoint.get_title("left"), clutter.get_title("left")) == ("viewpoint", "clutter")
    shift, rotate, chance, largest = viewpoint.lines
    assert list(shift.get_xdata()) == [0, 1, 5]
    assert list(shift.get_ydata()) == [50, 25, 12.5]
    assert list(chance.get_ydata()) == [10, 10]
    assert list(largest.get_ydata()) == [41, 41]
    below = [text.get_text() for text in figure.legends[0].get_texts()]
    assert below == ["chance: 10 %", "always the largest class: 41 %"]
    names = [text.get_text() for text in viewpoint.get_legend().get_texts()]
    assert names == ["shift", "rotate"]
    assert rotate.get_color() != shift.get_color()


def test_classes_stand_from_the_hardest_to_the_easiest_with_their_spread():
    figure = draw_slices(CURVES, CLASSES, chance=0.1, largest=0.41, title="title")
    figure.draw_without_rendering()
    axes = figure.axes[2]
    assert [bar.get_width() for bar in axes.patches] == [10, 90]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["c$a$t  1.25", "easy  0.20"]
    assert [text.get_text() for text in axes.texts] == ["10", "90"]
    assert axes.get_xlim() == (0, 100)


def test_of_many_curves_the_mean_is_named():
    curves = [curve("CIFAR-10-C", f"c{i}", (0, 5), (0.5, i / 10)) for i in range(5)]
    (axes,) = draw_slices(curves, [], chance=0.1, largest=0.41, title="title").axes
    assert len(axes.lines) == 5 + 1 + 2
    assert list(axes.lines[5].get_ydata()) == pytest.approx([50, 20])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["mean of 5"]


def test_examples_show_the_given_images_and_accuracies():
    images = tuple(torch.full((3, 4, 4), level, dtype=torch.uint8) for level in (10, 20))
    rows = [(curve("clutter", name, (0, 5), (0.5, 0.125)), images) for name in "abc"]
    figure = draw_examples(rows, "title")
    figure.draw_without_rendering()
    shown = [axes for axes in figure.axes if axes.images and axes.get_visible()]
    assert len(shown) == 6
    assert [int(axes.images[0].get_array()[0, 0, 0]) for axes in shown] == [10, 20] * 3
    assert [axes.get_xlabel() for axes in shown[:2]] == ["50.0 %", "12.5 %"]
    assert [axes.get_title() for axes in shown[:2]] == ["severity 0", "severity 5"]
    assert [axes.get_ylabel() for axes in shown[::2]] == ["a", "b", "c"]
    words = [[text.get_text() for text in axes.texts] for axes in shown]
    assert words == [["clutter"], [], [], [], ["clutter"], []]  # at the head of each half
