import math

import pytest

from cnn_train.lecture.formulas.expression import parse_expressions
from cnn_train.lecture.formulas.reverse_mode import reverse_jacobian
from cnn_train.lecture.formulas.symbolic import differentiate

POINT = [0.7, 1.9]


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("x1*x2+sin(x1)", ("x2 + cos(x1)", "x1")),
        ("x1**3+0*x2", ("3*x1**2", "0")),
        ("relu(x1)*x2", ("x2*Heaviside(x1, 0)", "relu(x1)")),
        ("abs(x1)*x2", ("x2*sign(x1)", "abs(x1)")),
        ("sigmoid(x1)*x2", ("x2*(1 - sigmoid(x1))*sigmoid(x1)", "sigmoid(x1)")),
        ("sin(pi*x1)+e*x2", ("pi*cos(pi*x1)", "e")),
        ("max(x1, x2)", ("Heaviside(x1 - x2)", "Heaviside(-x1 + x2)")),
    ],
)
def test_the_formulas_of_the_derivatives_are_readable(text: str, texts: tuple[str, ...]) -> None:
    assert differentiate(parse_expressions([text])).texts == texts


@pytest.mark.parametrize(
    "text",
    [
        "x*y+sin(x)", "x/y-y/x", "exp(-x**2/2)*y", "tanh(x*y)**2", "sqrt(x)*log(y)+tan(x/2)",
        "x**y+2**x", "max(x,y)*relu(y-x)", "cos(x)**-1.5+0.1*y", "relu(x-y)+max(x, 2*y)*3", "-y+x",
        "x**1000+y", "12345.678*x*y", "abs(x-y)*sigmoid(x*y)+sin(pi*y)", "e**x*ln(y)+sigmoid(2)*x",
        "abs(-2)*x+abs(sin(5)*y)",
    ],
)  # fmt: skip
def test_formula_and_tape_agree_and_forty_digits_agree_with_both(text: str) -> None:
    graph = parse_expressions([text])
    symbolic, by_tape = differentiate(graph), reverse_jacobian(graph, POINT)[0]
    values = symbolic.graph.evaluate(POINT)
    by_formula = [values[position] for position in symbolic.graph.outputs[1:]]
    assert by_formula == pytest.approx(by_tape, rel=1e-12, abs=1e-14)
    exact = symbolic.exact(POINT)
    assert exact == pytest.approx(by_tape, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize(("x", "slope"), [(40.0, 4 * math.exp(-80)), (400.0, 0.0), (5000.0, 0.0)])
def test_what_cancels_in_floats_does_not_in_the_exact_slope(x: float, slope: float) -> None:
    """tanh′ = 1 - tanh², about 4·exp(-2x); at 400 that is less than any float."""
    exact = differentiate(parse_expressions(["tanh(x)"])).exact([x])
    assert exact == [pytest.approx(slope, rel=1e-12)]
    assert differentiate(parse_expressions(["x**2-2*x"])).exact([1.0]) == [0.0]


def test_a_formula_without_a_value_has_no_exact_slope() -> None:
    """SymPy writes y·x**y/x, which is 0/0 at 0, and x**y·log(x)."""
    graph = parse_expressions(["x**y"])
    assert differentiate(graph).exact([0.0, 2.0]) is None


def test_a_function_of_numbers_alone_is_a_number() -> None:
    graph = parse_expressions(["x*relu(0.5**0.5)+max(2**0.5, 1)"])
    assert differentiate(graph).exact([3.0]) == [0.5**0.5]


def test_a_gradient_as_formulas_grows_faster_than_the_function() -> None:
    def size(num: int) -> tuple[int, int]:
        graph = parse_expressions(["*".join(f"sin(x{k})" for k in range(num))])
        return graph.num_operations, differentiate(graph).graph.num_operations

    (small, small_gradient), (large, large_gradient) = size(4), size(12)
    assert large_gradient / small_gradient > 2 * large / small


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tanh(" * 20 + "x" + ")" * 20, "more than 300,000 steps"),
        ("exp(1000*(1000*(1000*log(3*x))))", "too large"),
        ("x*sqrt(-1e-200*1e-200)", "complex"),
    ],
)
def test_what_costs_too_much_is_a_problem_and_no_hang(text: str, problem: str) -> None:
    """A root of -1e-400, which is 0 as a float, is complex."""
    gradient = differentiate(parse_expressions([text]))
    assert problem in str(gradient.problem) and gradient.exact([0.3]) is None


def test_a_constant_stays_the_number_that_was_written() -> None:
    derivatives = differentiate(
        parse_expressions(["1.4142135623730951*x+1e-320*y+0.3333333333333333*z"])
    )
    assert derivatives.exact([1.0, 1.0, 1.0]) == [1.4142135623730951, 1e-320, 0.3333333333333333]
    assert not any("sqrt" in text for text in derivatives.texts)
