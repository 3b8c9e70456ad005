import pytest

from cnn_train.figures.style import shorten


@pytest.mark.parametrize(
    ("text", "keep_end", "expected"),
    [
        ("frog", False, "frog"),
        ("bullfrog", False, "bull…"),
        ("bullfrog", True, "…frog"),
        ("frogs", True, "frogs"),
    ],
)
def test_long_names_are_cut_to_length_at_the_end_that_says_less(text, keep_end, expected):
    assert shorten(text, 5, keep_end=keep_end) == expected
