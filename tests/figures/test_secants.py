import pytest

from cnn_train.figures.secants import draw_secants


def test_curve_secants_and_tangent_go_through_the_point_with_their_slopes() -> None:
    secants = [(1.0, 3.0), (0.5, 2.5)]
    figure = draw_secants(lambda x: x * x, 1.0, 2.0, secants, "x**2", "x")
    figure.draw_without_rendering()
    lines = {str(line.get_label()): line for line in figure.axes[0].lines}
    slopes = {"secant, h = 1": 3.0, "secant, h = 0.5": 2.5, "tangent": 2.0}
    for name, slope in slopes.items():
        (x0, x1), (y0, y1) = lines[name].get_xdata(), lines[name].get_ydata()
        assert (y1 - y0) / (x1 - x0) == pytest.approx(slope)
        assert y0 + slope * (1 - x0) == pytest.approx(1)
    low, high = figure.axes[0].get_ylim()
    assert low < 0 and 4 < high < 6


def test_a_curve_has_gaps_where_the_function_has_no_value() -> None:
    figure = draw_secants(lambda x: None if x < 1 else 2.0, 1.0, None, [(1.0, 0.0)], "", "x")
    figure.draw_without_rendering()
    curve = figure.axes[0].lines[0].get_ydata()
    assert 0 < sum(y != y for y in curve) < len(curve)
    assert "tangent" not in {line.get_label() for line in figure.axes[0].lines}
