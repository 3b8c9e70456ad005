from dataclasses import replace

import pytest
import torch
from matplotlib.colors import to_rgba

from cnn_train.figures.style import BLUE
from cnn_train.figures.worked_loss import MOST_CLASSES, LossRow, draw_worked_loss

HINGE = LossRow("L_1 = 2.9", 0, (3.2, 5.1, -1.7), (0, 2.9, 0), (-1, 1, 0), limit=2.2)
ENTROPY = LossRow("L_1", 0, (3.2, 5.1, -1.7), (0.13, 0.87, 0), (-0.87, 0.87, 0),
                  targets=(1, 0, 0))  # fmt: skip
COLUMNS = ("scores", "shares", "gradient")


def test_bars_are_scores_terms_and_gradient_and_their_numbers() -> None:
    figure = draw_worked_loss([HINGE], ("cat", "c$a$r", "frog"), COLUMNS, "Loss")
    figure.draw_without_rendering()
    expected = (HINGE.scores, HINGE.shares, HINGE.gradient)
    for axes, values, name in zip(figure.axes, expected, COLUMNS, strict=True):
        assert [bar.get_width() for bar in axes.patches] == pytest.approx(values)
        numbers = [text.get_text().replace("−", "-") for text in axes.texts]
        assert numbers == [f"{value:.3g}" for value in values]
        assert axes.get_xlabel() == name
    names = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert names == ["cat", "c$a$r", "frog"]


def test_the_excess_reaches_from_the_limit_to_the_score_of_those_beyond() -> None:
    axes = draw_worked_loss([HINGE], ("cat", "car", "frog"), COLUMNS, "Loss").axes[0]
    excess = [list(line.get_xdata()) for line in axes.lines if line.get_linewidth() == 4]
    assert excess == [[2.2, 5.1]]
    low, high = axes.get_xlim()
    assert low < -1.7 and high > 5.1


def test_no_number_lies_on_what_a_score_has_beyond_the_limit() -> None:
    row = replace(HINGE, scores=(-0.4, -0.2, 0.3), limit=-1.4)
    axes = draw_worked_loss([row], ("cat", "car", "frog"), COLUMNS, "Loss").axes[0]
    assert [text.xy[0] for text in axes.texts] == [0, 0, 0.3]


def test_the_photo_that_was_scored_stands_before_its_bars() -> None:
    image_CHW = torch.randint(256, (3, 4, 4), dtype=torch.uint8)
    figure = draw_worked_loss(
        [replace(HINGE, image_CHW=image_CHW)] * 2, ("cat", "car", "frog"), COLUMNS, "Loss"
    )
    assert len(figure.axes) == 8
    for axes in figure.axes[::4]:
        assert torch.equal(torch.tensor(axes.images[0].get_array()).permute(2, 0, 1), image_CHW)
    figure.draw_without_rendering()


def test_probabilities_have_marks_where_they_ought_to_be() -> None:
    axes = draw_worked_loss([ENTROPY], ("cat", "car", "frog"), COLUMNS, "Loss").axes[1]
    marks = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "|"]
    assert marks == [1, 0, 0]


def test_of_many_classes_the_right_one_and_the_weightiest_are_drawn() -> None:
    gradient = tuple(float(j) for j in range(30))
    row = LossRow("L_1", 0, gradient, gradient, gradient, limit=0.5)
    names = [f"class {j}" for j in range(30)]
    axes = draw_worked_loss([row, row], names, COLUMNS, "Loss").axes[0]
    ticks = [tick.get_text() for tick in axes.get_yticklabels()]
    assert axes.get_title("left") == f"L_1; {MOST_CLASSES} of 30 classes"
    assert ticks == ["class 0", *names[30 - MOST_CLASSES + 1 :]]
    is_blue = [bar.get_facecolor() == to_rgba(BLUE) for bar in axes.patches]
    assert is_blue == [True] + [False] * (MOST_CLASSES - 1)
