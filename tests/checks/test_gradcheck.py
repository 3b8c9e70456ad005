from typing import Any

import pytest

from cnn_train.checks.gradcheck import suspects
from cnn_train.checks.slopes import Slope, TensorCheck


def checked(name: str, error: float, *kinks: str) -> TensorCheck:
    slope = Slope((0,), 1.0, 1.0, error, 1e-6, kinks)
    return TensorCheck(name, (1,), (slope,), slope)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"a.weight": 1, "a.bias": 1, "b.weight": 0}, ("a", "b")),
        ({"a.weight": 1, "b.weight": 1, "c.weight": 0, "d.weight": 0}, ("b", "c")),
        ({"a.weight": 1, "a.bias": 0, "b.weight": 0}, ("a", "b")),
        ({"a.weight": 0, "b.weight": 1}, ("b", None)),
        ({"a.weight": 1, "b.weight": "kink", "c.weight": 0}, ("a", "c")),
        ({"block.conv.weight": 1, "block.bn.weight": 0}, ("block.conv", "block.bn")),
        ({"weight": 1, "bias": 1}, ("bias", None)),
    ],
)
def test_the_fault_lies_between_the_last_wrong_layer_and_the_next_that_agrees(
    names: dict[str, Any], expected: tuple[str, str | None]
) -> None:
    found = [
        checked(name, 1.0, "ReLU") if error == "kink" else checked(name, error)
        for name, error in names.items()
    ]
    assert suspects(found) == expected
