import math

from cnn_train.figures.difference_errors import SMALLEST_DRAWN, draw_difference_errors


def test_errors_are_drawn_over_their_steps_on_logarithmic_axes() -> None:
    errors = [1e-2, 1e-6], [None, 0.0]
    figure = draw_difference_errors([0.1, 1e-5], *errors, "Errors", measure="error")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    forward, centred = axes.lines
    assert list(forward.get_xdata()) == [0.1, 1e-5]
    assert list(forward.get_ydata()) == [1e-2, 1e-6]
    missing, zero = centred.get_ydata()
    assert math.isnan(missing) and zero == SMALLEST_DRAWN


def test_the_notes_stand_above_the_panel_and_name_the_measure() -> None:
    words = {"measure": "distance", "left": "rounding", "middle": "kink", "right": "curvature"}
    figure = draw_difference_errors([0.1, 1e-5], [1, 1], [0.5, 0.5], "Errors", **words)
    (axes,) = figure.axes
    placed = {text.get_text(): text.get_position() for text in axes.texts}
    assert placed == {"rounding": (0.0, 1.01), "kink": (0.5, 1.01), "curvature": (1.0, 1.01)}
    assert axes.get_ylabel() == "distance"
    low, high = axes.get_ylim()
    assert high > 100 * low  # though the errors hardly differ
