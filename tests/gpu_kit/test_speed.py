import pytest
from benchmarks.measuring import Spread
from benchmarks.rows import Row
from gpu_kit.attempt import attempt
from gpu_kit.speed import share_covered


@pytest.mark.parametrize(
    ("spans", "share"),
    [
        ([(0.0, 2.0)], 1.0),
        ([(0.0, 1.0), (3.0, 4.0)], 0.5),
        ([(3.0, 4.0), (0.0, 2.0), (1.0, 2.0), (0.5, 1.0)], 0.75),
    ],
)
def test_time_in_which_operations_overlap_counts_once(
    spans: list[tuple[float, float]], share: float
) -> None:
    assert share_covered(spans) == share


def sample(value: float) -> Row:
    return Row("part", "name", "%", Spread.of([value]))


def test_a_measurement_that_fails_is_a_row_that_misses_and_says_why() -> None:
    row = sample(1.0)
    assert attempt("part", "name", lambda name, made: made, row) is row
    failed = attempt("part", "name", lambda name: sample(share_covered([])))
    assert failed.target and not failed.target.kept
    assert failed.note == "ValueError: the profiler saw no operation"
