import pytest

from cnn_train.errors import UsageError
from cnn_train.lecture.formulas.elementary import DomainError
from cnn_train.lecture.formulas.expression import parse_expressions
from cnn_train.lecture.formulas.grading import constant_factor, grade
from cnn_train.lecture.formulas.symbolic import differentiate

SLIDE = "x1*x2+sin(x1)"


def problems(expression: str, mine: str, *point: float) -> list[str]:
    return [one.problem for one in grade(expression, mine.split(", "), point)]


@pytest.mark.parametrize(
    ("expression", "mine", "point"),
    [
        (SLIDE, "x2+cos(x1), x1", [2, 3]),
        ("relu(x)*abs(y)", "step(x)*abs(y), relu(x)*sign(y)", [2, -3]),
        ("sigmoid(x)*pi", "pi*sigmoid(x)*(1-sigmoid(x))", [1]),
        ("log(x)", "1/x", [0.01]),
        ("exp(10*x)", "10*exp(10*x)", [3]),
        ("x**2/x", "1", [0.5]),
        ("1e8*(x+y)-1e8*x", "0, 1e8", [0.1, 0.2]),
        ("sigmoid(x)", "exp(-x)/(1+exp(-x))**2", [30]),
        ("sqrt(1-(1000*x)**2)", "-1e6*x/sqrt(1-1e6*x**2)", [0]),
    ],
)
def test_what_is_right_however_it_is_written_has_no_problem(
    expression: str, mine: str, point: list[float]
) -> None:
    assert problems(expression, mine, *point) == [""] * len(point)


@pytest.mark.parametrize("text", ["tanh(w*x+b)**2/sqrt(x+4)", "exp(-x*w)*max(b, x)", "b**2+w*x/b"])
def test_sympys_own_derivatives_are_right(text: str) -> None:
    texts = differentiate(parse_expressions([text])).texts
    mine = [one.replace("Heaviside", "step") for one in texts]
    assert [one.problem for one in grade(text, mine, [0.5, 1.5, 2.5])] == [""] * 3


@pytest.mark.parametrize(
    ("expression", "mine", "problem"),
    [
        (SLIDE, "x2, x1", "the path x1 → sin(x1) is missing: yours lacks cos(x1)"),
        (SLIDE, "cos(x1), x1", "the path x1 → x1 × x2 is missing: yours lacks x2"),
        (SLIDE, "-x2-cos(x1), x1", "only the sign is wrong"),
        (SLIDE, "x2-cos(x1), x1", "on the path x1 → sin(x1), only the sign is wrong"),
        (SLIDE, "3*x2+3*cos(x1), x1", "a constant factor is wrong: yours is 3 times the right one"),
        (SLIDE, "0, x1", "yours is 0"),
        (SLIDE, "x1, x1", "yours is the derivative by x2"),
        ("sin(3*x1)+x2", "cos(3*x1), 1",
         "on the path x1 → 3 × x1 → sin(3 × x1), the chain rule's factor 3 is missing"),
        ("x1/(x1+x2)", "1/(x1+x2), -x1/(x1+x2)**2",
         "the path x1 → x1 + x2 → x1 / (x1 + x2) is missing: yours lacks -x1/(x1 + x2)**2"),
        ("1e-14*x1**2+x2", "1e-14*x1*x2, 1", "no sign, no constant factor"),
        ("sqrt(1-(x1*1e3-2e3)**2)+x2", "0, 1", "the path x1 → "),
        ("x1**3+sin(x1)+x2", "x1**2+cos(x1), 1",
         "on the path x1 → x1 ** 3, a constant factor is wrong: yours is 0.333333 times the right"),
        ("sin(x1**2)+x2", "cos(x1**2), 1",
         "on the path x1 → x1 ** 2 → sin(x1 ** 2), the chain rule's factor 2*x1 is missing"),
        ("x1*x1*x2", "x1*x2, x1**2", "the path x1 → x1 × x1 is missing: yours lacks x1*x2"),
        (SLIDE, "x1+x2**2, x1", "no sign, no constant factor and no single path explains it"),
        (SLIDE, "1/(x1-2), x1", "it has no value where the function has a slope: 1 / (x1 - 2): "),
    ],
)  # fmt: skip
def test_the_mistake_is_named(expression: str, mine: str, problem: str) -> None:
    first, second = problems(expression, mine, 2.0, 3.0)
    assert first.startswith(problem) and second == ""


@pytest.mark.parametrize(
    ("expression", "mine", "lacks"),
    [("relu(x)", "1", "step(x)"), ("abs(x)", "1", "sign(x)"), ("relu(x*y)", "y, x", "step(x*y)")],
)
def test_a_derivative_that_is_right_on_one_side_of_a_kink_is_not_right(
    expression: str, mine: str, lacks: str
) -> None:
    for problem in problems(expression, mine, *[2.0, 3.0][: mine.count(",") + 1]):
        assert problem.endswith(f"the chain rule's factor {lacks} is missing")


def test_swapped_are_two_and_what_merely_equals_another_derivative_is_not() -> None:
    for problem, other in zip(problems("x*y", "x, y", 1, 2), "yx", strict=True):
        assert problem == f"yours is the derivative by {other}; are they swapped?"
    neuron = "s*(1-s)".replace("s", "sigmoid(w*x+b)")
    _, by_w, _ = problems("sigmoid(w*x+b)", f"{neuron}, {neuron}, w*{neuron}", 1, 2, 3)
    assert by_w == "on the path w → w × x, the chain rule's factor x is missing"


def test_right_at_the_point_alone_is_not_right() -> None:
    (one,) = grade("x**2", ["4"], [2.0])
    assert (one.value, one.right) == (4, 4) and one.problem


def test_points_without_a_slope_or_with_a_kink_are_left_out() -> None:
    (one,) = grade("sqrt(1-x*x)", ["-x/sqrt(1-x*x)"], [0.5])
    assert 3 <= one.num_points < 16 and not one.problem
    with pytest.raises(UsageError, match=r"f has a kink here: .* choose another --at"):
        grade("relu(x)", ["step(x)"], [0.0])
    with pytest.raises(DomainError):
        grade("log(x)", ["1/x"], [-1.0])


def test_a_name_that_is_no_input_is_refused() -> None:
    with pytest.raises(UsageError, match="--mine 'y': y is no input of --expr"):
        grade("x**2", ["y"], [1.0])


def test_few_points_show_no_constant_factor() -> None:
    assert constant_factor([2.0, 4.0, 6.0], [1.0, 2.0, 3.0]) == 2
    assert constant_factor([2.0, 4.0], [1.0, 2.0]) is None
    assert constant_factor([2.0, 4.0, 7.0], [1.0, 2.0, 3.0]) is None
    assert constant_factor([0.0] * 3, [0.0] * 3) is None
