"""How numbers are written."""

import pytest

from cnn_train.page import clock


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00"),
        (5.4, "0:05"),
        (59.6, "1:00"),
        (3599, "59:59"),
        (3600, "1:00:00"),
        (1e5, "27:46:40"),
    ],
)
def test_seconds_are_read_off_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_whole_numbers_stay_whole_and_others_get_equal_decimals() -> None:
    from cnn_train.page import whole_or_aligned

    assert whole_or_aligned([1.0, -2.0, -0.0, 30.0]) == ["1", "−2", "0", "30"]
    assert whole_or_aligned([1.5, -0.25]) == ["1.50", "−0.25"]
    assert whole_or_aligned([1.5, -0.001]) == ["1.50", "0.00"]  # never −0.00
