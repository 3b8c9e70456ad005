import math

import pytest

from cnn_train.figures.difference_errors import SMALLEST_DRAWN, draw_difference_errors


def test_errors_are_drawn_over_their_steps_on_logarithmic_axes() -> None:
    figure = draw_difference_errors([0.1, 1e-5], [1e-2, 1e-6], [None, 0.0], "Errors")
    figure.canvas.draw()
    axes = figure.axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    forward, centred = axes.lines
    assert list(forward.get_xdata()) == [0.1, 1e-5]
    assert list(forward.get_ydata()) == [1e-2, 1e-6]
    missing, zero = centred.get_ydata()
    assert math.isnan(missing) and zero == SMALLEST_DRAWN


@pytest.mark.parametrize("has_kink", [False, True])
def test_rounding_and_curvature_are_named_only_where_they_are_the_reason(has_kink: bool) -> None:
    figure = draw_difference_errors([0.1, 1e-5], [1, 1], [0.5, 0.5], "Errors", has_kink=has_kink)
    (axes,) = figure.axes
    words = [text.get_text() for text in axes.texts]
    assert words == (
        ["a kink: the slope is a choice"] if has_kink else ["← rounding", "curvature →"]
    )
    assert ("choice" in axes.get_ylabel()) == has_kink
