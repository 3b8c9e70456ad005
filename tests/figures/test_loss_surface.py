import math

import numpy as np
import pytest
import torch
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm, Normalize, to_rgba
from matplotlib.figure import Figure
from torch import Tensor

from cnn_train.figures.loss_surface import (
    FINER,
    choose_levels,
    draw_loss_surface,
    draw_ways,
    smooth,
)
from cnn_train.figures.style import BLUE, GRID, ORANGE

DISTANCES = torch.linspace(-1, 1, 9).double()


def bowl(steepness: float = 4.0) -> Tensor:
    """0.5 in the middle; rises more along the first direction, the columns, than the second."""
    first_GG, second_GG = DISTANCES[None], DISTANCES[:, None]
    return 0.5 + steepness * (2 * first_GG**2 + second_GG**2) + 0.1 * first_GG


def pixels(figure: Figure) -> Tensor:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return torch.from_numpy(np.array(canvas.buffer_rgba()))


def colour_at(figure: Figure, x: float, y: float) -> tuple[float, ...]:
    """Return the colour of the map at a pair of distances."""
    picture = pixels(figure)
    left, bottom = figure.axes[0].transData.transform((x, y))
    red, green, blue, _ = picture[picture.shape[0] - 1 - round(bottom), round(left)].tolist()
    return red / 255, green / 255, blue / 255


def test_the_map_has_the_first_direction_to_the_right_and_the_second_upwards() -> None:
    """Low is dark in viridis, high is light: the bowl is shifted to the upper left."""
    first_GG, second_GG = DISTANCES[None], DISTANCES[:, None]
    loss_GG = 0.5 + (first_GG + 0.5) ** 2 + 3 * (second_GG - 0.5) ** 2
    figure = draw_loss_surface(DISTANCES, loss_GG, "title")
    light = {(x, y): sum(colour_at(figure, x, y)) for x in (-0.6, 0.6) for y in (-0.6, 0.6)}
    assert light[-0.6, 0.6] < light[0.6, 0.6] < light[-0.6, -0.6] < light[0.6, -0.6]


def test_the_cuts_are_the_middle_row_and_the_middle_column() -> None:
    loss_GG = bowl()
    _, cuts, bar = draw_loss_surface(DISTANCES, loss_GG, "title").axes
    lines = {line.get_color(): list(line.get_ydata()) for line in cuts.lines}
    assert lines[BLUE] == loss_GG[4].tolist()
    assert lines[ORANGE] == loss_GG[:, 4].tolist()
    twice = next(line for line in cuts.lines if line.get_label() == "twice the trained loss")
    assert list(twice.get_ydata()) == [1.0, 1.0]
    assert cuts.get_yscale() == "log"
    assert bar.get_title() == "loss"


def test_the_trained_weights_are_a_cross_with_its_loss() -> None:
    plane, cuts, _ = draw_loss_surface(DISTANCES, bowl(), "title").axes
    (cross,) = (line for line in plane.lines if line.get_marker() == "x")
    assert (list(cross.get_xdata()), list(cross.get_ydata())) == ([0], [0])
    assert "trained: 0.5000" in [text.get_text() for text in plane.texts]
    assert "trained: 0.5000" in [text.get_text() for text in cuts.get_legend().get_texts()]


def test_a_path_goes_from_a_square_to_the_cross_and_names_updates_where_there_is_room() -> None:
    path = {0: (-0.9, 0.5), 11: (-0.89, 0.5), 50: (-0.4, 0.2), 70: (0.001, 0.0), 80: (0.0, 0.0)}
    plane, cuts, _ = draw_loss_surface(DISTANCES, bowl(), "title", path).axes
    (way,) = (line for line in plane.lines if line.get_marker() == "o")
    assert list(zip(way.get_xdata(), way.get_ydata(), strict=True)) == list(path.values())
    (start,) = (line for line in plane.lines if line.get_marker() == "s")
    assert (list(start.get_xdata()), list(start.get_ydata())) == ([-0.9], [0.5])
    assert plane.lines[-1].get_marker() == "x"  # over the way
    words = [text.get_text() for text in plane.texts]
    assert "update 0" in words and "50" in words and not {"11", "70", "80"} & set(words)
    for label in (plane.get_xlabel(), plane.get_ylabel(), cuts.get_xlabel()):
        assert "distance of the weights" in label and "filter" not in label


def test_what_is_not_finite_is_grey_and_the_title_says_so() -> None:
    loss_GG = bowl()
    loss_GG[:4, :4], loss_GG[5:, 5:] = math.nan, math.inf
    figure = draw_loss_surface(DISTANCES, loss_GG, "title")
    assert figure.axes[0].get_title("left") == "From above; grey: not finite"
    for x, y in ((-0.6, -0.6), (0.6, 0.6)):
        assert colour_at(figure, x, y) == pytest.approx(to_rgba(GRID)[:3], abs=0.01)
    assert colour_at(figure, -0.6, 0.6) != pytest.approx(to_rgba(GRID)[:3], abs=0.1)


def test_a_valley_between_measured_points_is_no_hole() -> None:
    """There the smoothed surface is lower than any measured loss."""
    loss_GG = 0.1 + (DISTANCES[None] + 0.375) ** 2 + (DISTANCES[:, None] - 0.375) ** 2
    assert smooth(loss_GG).min() < loss_GG.min()
    colour = colour_at(draw_loss_surface(DISTANCES, loss_GG, "title"), -0.375, 0.375)
    assert colour == pytest.approx(colormaps["viridis"](0.0)[:3], abs=0.03)


def test_a_smoothed_surface_goes_through_what_was_measured() -> None:
    loss_GG = bowl()
    finer_GG = smooth(loss_GG)
    assert torch.allclose(finer_GG[::FINER, ::FINER], loss_GG)
    straight_GG = (1 + DISTANCES[None] + 2 * DISTANCES[:, None]).exp()
    side = torch.linspace(-1, 1, 8 * FINER + 1).double()
    assert torch.allclose(smooth(straight_GG), (1 + side[None] + 2 * side[:, None]).exp())
    loss_GG[0, 0] = math.inf
    assert torch.equal(smooth(loss_GG), loss_GG)


def test_losses_that_vary_much_get_round_levels_at_equal_ratios() -> None:
    levels, norm = choose_levels(torch.tensor([[0.4, 19.0], [math.nan, math.inf]]))
    assert isinstance(norm, LogNorm) and (norm.vmin, norm.vmax) == pytest.approx((0.4, 19.0))
    assert levels == [0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15]


def test_losses_that_vary_little_get_levels_at_equal_steps() -> None:
    levels, norm = choose_levels(torch.tensor([[1.0, 2.1]]))
    assert type(norm) is Normalize
    assert levels == pytest.approx([1.2, 1.4, 1.6, 1.8, 2.0])


@pytest.mark.parametrize(
    "loss_GG",
    [
        torch.zeros(9, 9),
        torch.full((9, 9), 2.5),
        bowl() - 0.5,
        bowl(1e7),
        bowl(1e-3),
        torch.full((9, 9), math.nan).index_put((torch.tensor(4), torch.tensor(4)), torch.ones(())),
    ],
    ids=["zero", "flat", "zero in the middle", "steep", "shallow", "the weights alone"],
)
def test_every_surface_can_be_drawn(loss_GG: Tensor) -> None:
    figure = draw_loss_surface(DISTANCES, loss_GG.double(), "title")
    assert pixels(figure).shape[2] == 4


def test_no_number_on_the_lines_touches_another_or_the_border() -> None:
    figure = draw_loss_surface(DISTANCES, bowl(), "a $ title")
    figure.draw_without_rendering()
    plane = figure.axes[0]
    boxes = [text.get_window_extent() for text in plane.texts]
    assert len(boxes) >= 4
    whole = plane.get_window_extent()
    for i, box in enumerate(boxes):
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1
        assert whole.y0 <= box.y0 and box.y1 <= whole.y1
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_two_ways_are_drawn_from_one_place_and_say_how_many_updates_they_took() -> None:
    axes = Figure().subplots()
    ways = [{0: [-1.0, 0.5], 4: [-0.5, 0.4]}, {0: [-1.0, 0.5], 10: [0.0, -0.5], 64: [1.0, 0.2]}]
    losses = [[1.0 + (x - 1) ** 2 + y**2 for x in (-1.2, 0, 1.2)] for y in (-1.2, 0, 1.2)]
    draw_ways(axes, [-1.2, 0.0, 1.2], losses, ways)
    assert {text.get_text() for text in axes.texts} >= {"4 updates", "64 updates"}
    drawn = [list(map(list, zip(*line.get_data(), strict=True))) for line in axes.lines]
    assert all(list(way.values()) in drawn for way in ways)
