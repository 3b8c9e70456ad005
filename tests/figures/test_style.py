import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_train.figures.style import fold, make_figure, shorten, shorten_apart, style_axes


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


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["cat", "dog"], ["cat", "dog"]),
        (["a long name", "dog"], ["a long…", "dog"]),
        (["same word 1 of all", "same word 2 of all"], ["… 1 of…", "… 2 of…"]),
        (["same name"] * 2, ["same n…"] * 2),
        (["same wood", "same worm", "same world"], ["…ood", "…orm", "…orld"]),
        (["abcdefgh", "abcdefghi"], ["…h", "…hi"]),
        (
            ["one and 1", "one and 2", "two and 1", "two and 2"],
            ["0 one …", "1 one …", "2 two …", "3 two …"],
        ),
    ],
)
def test_long_names_that_begin_alike_are_cut_where_they_differ(names, expected):
    assert shorten_apart(names, 7) == expected


@given(st.lists(st.text("ab", max_size=14), unique=True, max_size=9), st.integers(4, 8))
def test_different_names_stay_different_and_short(names, length):
    short = shorten_apart(names, length)
    assert len(set(short)) == len(names)
    assert all(len(text) <= length for text in short)


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_a_legend_lies_between_title_and_panel_and_over_neither(columns):
    figure = make_figure(6, 4, "title")
    axes = figure.add_subplot()
    for i in range(3):
        axes.plot([0, 1], [i, 3], label=f"curve $ {i}")
    style_axes(axes, title="panel", legend_columns=columns)
    figure.draw_without_rendering()
    legend = axes.get_legend().get_window_extent()
    title = axes._left_title.get_window_extent()
    assert axes.get_window_extent().y1 <= legend.y0 < legend.y1 <= title.y0
