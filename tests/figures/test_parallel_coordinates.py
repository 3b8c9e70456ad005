import pytest

from cnn_train.figures.parallel_coordinates import draw_parallel_coordinates

ROWS = [
    {"lr": "0.01", "model": "{name: lenet}", "val accuracy": 50.0},
    {"lr": "0.1", "model": "{name: linear}", "val accuracy": 70.0},
    {"lr": "1.0", "model": "{name: lenet}", "val accuracy": 60.0},
]


@pytest.mark.parametrize("more_is_better", [True, False])
def test_a_line_per_trial_ends_at_its_result_and_the_best_is_drawn_last(
    more_is_better: bool,
) -> None:
    figure = draw_parallel_coordinates(
        ROWS, result="val accuracy", more_is_better=more_is_better, title="t"
    )
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 3]  # type: ignore[arg-type]
    ends = [float(line.get_ydata()[-1]) for line in lines]  # type: ignore[index]
    assert ends == ([0.0, 0.5, 1.0] if more_is_better else [1.0, 0.5, 0.0])
    assert lines[-1].get_linewidth() > lines[0].get_linewidth()


def test_a_wide_range_of_numbers_is_logarithmic() -> None:
    figure = draw_parallel_coordinates(ROWS, result="val accuracy", title="t")
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 3]  # type: ignore[arg-type]
    heights = sorted(float(line.get_ydata()[0]) for line in lines)  # type: ignore[index]
    assert heights == pytest.approx([0, 0.5, 1])


def test_words_and_equal_numbers_have_places_too() -> None:
    same = [{"seed": "3", "result": 1.0}, {"seed": "3", "result": 1.0}]
    figure = draw_parallel_coordinates(same, result="result", title="a$b")
    assert {text.get_text() for text in figure.axes[0].texts} == {"seed", "3", "result", "1"}
