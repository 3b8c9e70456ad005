from collections.abc import Callable

import pytest
from benchmarks.measuring import Spread, take_turns, times_to_fill


def note(name: str, calls: list[str]) -> Callable[[], float]:
    """Return a measurement that notes its name and gives the number of the call."""

    def measure() -> float:
        calls.append(name)
        return float(len(calls))

    return measure


def test_a_spread_is_the_median_with_the_extremes() -> None:
    assert Spread.of([5.0, 1.0, 2.0]) == Spread(2.0, 1.0, 5.0, 3)


def test_ratios_are_taken_round_by_round() -> None:
    """The ratio of the medians, 3 / 3, would hide that ours was twice as fast in two rounds."""
    ratio = Spread.of_ratios([2.0, 8.0, 3.0], [1.0, 4.0, 3.0])
    assert ratio == Spread(2.0, 1.0, 2.0, 3)


def test_candidates_take_turns_in_alternating_order_after_a_round_unrecorded() -> None:
    calls: list[str] = []
    candidates = {"a": note("a", calls), "b": note("b", calls)}
    samples = take_turns(candidates, 3)
    assert "".join(calls) == "ab" + "ab" + "ba" + "ab"
    assert samples == {"a": [3.0, 6.0, 7.0], "b": [4.0, 5.0, 8.0]}


def test_without_warm_up_the_first_round_is_recorded() -> None:
    calls: list[str] = []
    assert take_turns({"a": note("a", calls)}, 2, warm_up=False) == {"a": [1.0, 2.0]}


@pytest.mark.parametrize(("one", "times"), [(0.1, 30), (2.0, 2), (100.0, 1)])
def test_slow_work_is_repeated_less_but_at_least_once(one: float, times: int) -> None:
    assert times_to_fill(3.0, one) == times
