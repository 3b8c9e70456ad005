import pytest

from cnn_train.figures.slopes import draw_slopes


@pytest.mark.parametrize("random", [[], [(60.0, 1.0), (120.0, -1.0)]])
def test_the_cosine_and_the_measured_slopes_are_drawn(random: list[tuple[float, float]]) -> None:
    figure = draw_slopes(2.0, [(0.0, 2.0), (180.0, -2.0)], random, "Slopes")
    figure.draw_without_rendering()
    lines = {str(line.get_label()): line for line in figure.axes[0].lines}
    cosine = lines["∇f·d = ‖∇f‖ cos(angle)"].get_ydata()
    assert (cosine[0], cosine[-1]) == (2.0, -2.0)
    assert list(lines["measured, turned away from ∇f"].get_ydata()) == [2.0, -2.0]
    assert ("measured, random directions" in lines) == bool(random)
