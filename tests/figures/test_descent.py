import pytest
from matplotlib.axes import Axes

from cnn_train.figures.descent import draw_batch_sizes, draw_descent, shades
from cnn_train.figures.saving import save_figure


def lines(axes: Axes) -> dict[str, list[tuple[float, float]]]:
    return {
        str(line.get_label()): list(zip(line.get_xdata(), line.get_ydata(), strict=True))
        for line in axes.lines
    }


def test_both_trainings_are_drawn_by_updates_and_by_seconds(tmp_path) -> None:
    by_updates = {"all": [(0, 2.3), (1, 2.2)], "few": [(0, 2.3), (100, 1.0)]}
    by_seconds = {"all": [(0, 2.3), (4, 2.2)], "few": [(0, 2.3), (5, 1.0)]}
    figure = draw_descent(by_updates, by_seconds, "a title")
    left, right = figure.axes
    assert lines(left) == by_updates and lines(right) == by_seconds
    assert left.get_xlabel() == "updates made" and right.get_xlabel() == "seconds of training"
    legend = left.get_legend()
    assert legend is not None and [text.get_text() for text in legend.texts] == ["all", "few"]
    save_figure(figure, tmp_path / "figure.png")


def test_sizes_are_drawn_with_cosine_noise_law_cost_and_training(tmp_path) -> None:
    figure = draw_batch_sizes(
        sizes=[32, 64, 100],
        cosines=[0.3, 0.5, 1.0],
        noises=[8.0, 4.5],
        law=[8.1, 4.0],
        milliseconds=[10.0, 15.5, 1234.0],
        losses={name: [(0, 2.3), (1, 2.0)] for name in ("32", "64", "all 100")},
        title="a title",
    )
    cosine, noise, cost, training = figure.axes
    (only,) = lines(cosine).values()
    assert only == [(32, 0.3), (64, 0.5), (100, 1.0)]
    assert lines(noise)["measured"] == [(32, 8.0), (64, 4.5)]
    assert lines(noise)["σ²/B · (N − B)/(N − 1)"] == [(32, 8.1), (64, 4.0)]
    assert [text.get_text() for text in cost.texts] == ["10", "15.5", "1,234"]
    assert list(lines(training)) == ["32", "64", "all 100"]
    save_figure(figure, tmp_path / "figure.svg")


@pytest.mark.parametrize("number", [3, 5])
def test_shades_differ_and_darken(number: int) -> None:
    brightness = [sum(color[:3]) for color in shades(number)]
    assert brightness == sorted(brightness, reverse=True)
    assert len(set(brightness)) == number
