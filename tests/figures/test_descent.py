import pytest
from matplotlib.axes import Axes
from matplotlib.axis import Axis

from cnn_train.figures.descent import draw_batch_sizes, draw_descent, round_numbers, shades


def lines(axes: Axes) -> dict[str, list[tuple[float, float]]]:
    return {
        str(line.get_label()): list(zip(line.get_xdata(), line.get_ydata(), strict=True))
        for line in axes.lines
    }


def test_both_trainings_are_drawn_by_updates_and_by_seconds() -> None:
    by_updates = {"all": [(0, 2.3), (1, 2.2)], "few": [(0, 2.3), (100, 1.0)]}
    by_seconds = {"all": [(0, 2.3), (4, 2.2)], "few": [(0, 2.3), (5, 1.0)]}
    figure = draw_descent(by_updates, by_seconds, "a title")
    left, right = figure.axes
    assert lines(left) == by_updates and lines(right) == by_seconds
    assert left.get_xlabel() == "updates made, logarithmic from 1 on"
    assert [tick.get_text() for tick in left.get_xticklabels()] == [
        "0", "1", "2", "5", "10", "20", "50", "100"
    ]  # fmt: skip
    assert right.get_xlabel() == "seconds of training"
    legend = left.get_legend()
    assert legend is not None and [text.get_text() for text in legend.texts] == ["all", "few"]
    figure.draw_without_rendering()


def test_sizes_are_drawn_with_cosine_noise_law_cost_and_training() -> None:
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
    figure.draw_without_rendering()


@pytest.mark.parametrize("number", [3, 5])
def test_shades_differ_and_darken(number: int) -> None:
    brightness = [sum(color[:3]) for color in shades(number)]
    assert brightness == sorted(brightness, reverse=True)
    assert len(set(brightness)) == number


def labelled_ticks(axis: Axis) -> list[str]:
    """Return the labels that lie within the axis."""
    low, high = sorted(axis.get_view_interval())
    ticks = axis.get_major_ticks()
    inside = [t for t in ticks if low * (1 - 1e-9) <= t.get_loc() <= high * (1 + 1e-9)]
    return [tick.label1.get_text() for tick in inside if tick.label1.get_text()]


@pytest.mark.parametrize(
    ("noises", "milliseconds"),
    [
        ([13.0, 5.8, 2.98, 1.39], [6.4, 34.9, 90.0, 408.0, 987.0]),
        ([1.19], [31.6, 50.1]),
        ([3e-4, 2.9e-4], [330.0, 331.0, 332.0]),
        ([1000.0, 1.0], [0.011, 3.0, 4200.0]),
    ],
)
def test_every_logarithmic_axis_has_two_labels_at_least(
    noises: list[float], milliseconds: list[float]
) -> None:
    sizes = [32, 64, 128, 256, 1024][-len(milliseconds) :]
    cosines, losses = [0.5] * len(sizes), {str(size): [(0, 2.3), (1, 2.0)] for size in sizes}
    figure = draw_batch_sizes(sizes, cosines, noises, noises, milliseconds, losses, "a title")
    figure.draw_without_rendering()
    for axes in figure.axes:
        for axis, name in ((axes.xaxis, axes.get_xscale()), (axes.yaxis, axes.get_yscale())):
            labels = labelled_ticks(axis)
            assert name != "log" or len(labels) >= 2, labels
    assert [axes.get_yscale() for axes in figure.axes] == ["linear", "log", "log", "linear"]
    for axes, values in zip(figure.axes[1:3], (noises, milliseconds), strict=True):
        low, high = axes.get_ylim()
        assert low < min(values) and max(values) < high


@pytest.mark.parametrize("most", [1, 2, 9, 10, 500, 30_000])
def test_updates_have_two_labels_at_least(most: int) -> None:
    curve = {"few": [(0, 2.3), (most, 1.0)]}
    figure = draw_descent(curve, curve, "a title")
    figure.draw_without_rendering()
    assert len(labelled_ticks(figure.axes[0].xaxis)) >= 2


def test_round_numbers_enclose_what_is_drawn() -> None:
    assert round_numbers(1.2, 14) == [1, 2, 5, 10, 20]
    assert round_numbers(29, 51) == [20, 50, 100]
    assert round_numbers(3.3, 3.4) == [2, 5]
    assert round_numbers(1, 1) == [1, 2]
    assert round_numbers(0.02, 4000) == [0.01, 0.1, 1, 10, 100, 1000, 10_000]
    for low, high in ((1e-7, 1e-7), (9.9, 10.1), (10, 10), (0.5, 5e5), (1, 1000)):
        numbers = round_numbers(low, high)
        assert numbers[0] <= low <= high <= numbers[-1] and len(numbers) >= 2
