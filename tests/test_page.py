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
