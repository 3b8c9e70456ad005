import pytest
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
