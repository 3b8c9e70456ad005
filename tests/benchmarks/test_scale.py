import pytest
from benchmarks.measuring import Spread
from benchmarks.scale import Growth, draw_scaling, fit_exponent


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_law_is_its_power(power: float) -> None:
    amounts = (3, 6, 12, 24)
    seconds = [0.7 * amount**power for amount in amounts]
    assert fit_exponent(amounts, seconds) == pytest.approx(power)


def test_a_fixed_cost_lowers_the_exponent() -> None:
    amounts = (1, 2, 4, 8)
    assert 0 < fit_exponent(amounts, [1 + amount for amount in amounts]) < 1


def test_the_figure_has_a_panel_per_thing_with_its_measurements_and_exponent() -> None:
    seconds = tuple(Spread.of([0.9 * t, t, 1.1 * t]) for t in (1.0, 2.0, 4.0))
    growths = [
        Growth("images", (10, 20, 40), seconds, Spread.of([1.0])),
        Growth("pixels", (256, 512, 1024), seconds, Spread.of([0.75])),
    ]
    first, second = draw_scaling(growths, "growth").axes
    assert (first.get_xlabel(), second.get_xlabel()) == ("images", "pixels")
    assert list(second.lines[1].get_ydata()) == [1.0, 2.0, 4.0]
    legend = second.get_legend()
    assert legend is not None and "0.75" in legend.get_texts()[1].get_text()
