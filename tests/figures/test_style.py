import pytest

from cnn_train.figures.style import fold, shorten


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f(x) = x", "f(x) = x"),
        ("f(x, y) = x*y+x", "f(x, y) =\nx*y+x"),
        ("x1+x2+x3+x4+x5", "x1+x2+x3+\nx4+x5"),
        ("abcdefghijklmno", "abcdefghij\nklmno"),
        ("x1+x2+x3+x4+x5+x6+x7+x8", "x1+x2+x3+\nx4+x5+x6+…"),
    ],
)
def test_long_text_is_folded_after_a_sign_and_cut_where_the_lines_are_full(text, expected):
    assert fold(text, 10, 2) == expected
