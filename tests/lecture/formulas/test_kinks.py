import pytest

from cnn_train.lecture.formulas.expression import parse_expressions
from cnn_train.lecture.formulas.kinks import Kink, describe_kinks, kinks_at


@pytest.mark.parametrize(
    ("text", "point", "kinks"),
    [
        ("relu(x)", [0.0], [("x", 0, 1, 0)]),
        ("relu(-x)", [0.0], [("x", -1, 0, 0)]),
        ("abs(x)", [0.0], [("x", -1, 1, 0)]),
        ("abs(x - y)*2", [1.0, 1.0], [("x", -2, 2, 0), ("y", -2, 2, 0)]),
        ("relu(x)*1e-9", [0.0], [("x", 0, 1e-9, 0)]),
        ("max(x, y)", [2.0, 2.0], [("x", 0, 1, 0.5), ("y", 0, 1, 0.5)]),
        ("relu(x) + y**2", [0.0, 1.0], [("x", 0, 1, 0)]),
        ("relu(x) + 1e6*x**2", [0.0], [("x", -5e-4, 1 + 5e-4, 0)]),
        ("relu(x - 3)*2 + x", [3.0], [("x", 1, 3, 1)]),
        ("relu(x) - relu(-x)", [0.0], [("x", 1, 1, 0)]),
        ("relu(sin(x))*y", [0.0, 2.0], [("x", 0, 2, 0)]),
    ],
)
def test_a_kink_has_other_slopes_on_its_sides_than_the_chosen(
    text: str, point: list[float], kinks: list[tuple[str, float, float, float]]
) -> None:
    for kink, (name, *slopes) in zip(
        kinks_at(parse_expressions([text]), point), kinks, strict=True
    ):
        assert kink.name == name
        assert [kink.left, kink.right, kink.chosen] == pytest.approx(slopes, rel=1e-6)


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("x1*x2+sin(x1)", [2.0, 3.0]),
        ("relu(x)", [1e-3]),
        ("max(x, y)", [2.0, 2.001]),
        ("max(x, x)", [1.0]),
        ("relu(x)**2", [0.0]),
        ("abs(x)**2", [0.0]),
        ("abs(x)", [-1e-3]),
        ("relu(x)**1.5", [0.0]),
        ("relu(x)*relu(-x)", [0.0]),
        ("relu(x)*y", [0.0, 0.0]),
        ("relu(relu(x) - 1)", [0.0]),
    ],
)
def test_where_the_slopes_agree_there_is_no_kink(text: str, point: list[float]) -> None:
    assert kinks_at(parse_expressions([text]), point) == ()


def test_beside_which_there_is_no_value_no_kink_is_claimed() -> None:
    assert kinks_at(parse_expressions(["relu(x)*log(x + 1e-12)"]), [0.0]) == ()


def test_the_words_tell_a_kink_from_kinks_that_make_a_line() -> None:
    bent, straight = Kink("x", 0.0, 1.0, 0.0), Kink("y", 1.0, 1.0, 0.0)
    assert not bent.is_straight and straight.is_straight
    assert describe_kinks([bent, straight]) == (
        "f has a kink here: along x the slope is 0 from the left and 1 from the right; "
        "kinks of f's parts meet here: along y the slope is 1 on both sides, not 0"
    )
