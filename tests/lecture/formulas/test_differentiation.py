import pytest

from cnn_train.lecture.formulas import differentiation
from cnn_train.lecture.formulas.differentiation import Differentiation, differentiate_every_way
from cnn_train.lecture.formulas.expression import parse_expressions


@pytest.fixture(autouse=True)
def quick_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differentiation, "TIMED_SECONDS", 1e-6)


def differentiate(text: str, *point: float, h: float = 1e-5) -> Differentiation:
    return differentiate_every_way(text, parse_expressions([text]), point, h)


def test_every_method_finds_the_slides_value_and_gradient() -> None:
    answer = differentiate("x1*x2+sin(x1)", 2, 3)
    assert [method.name for method in answer.methods] == [
        "manual", "symbolic", "numerical, forward", "numerical, centred", "forward mode",
        "reverse mode",
    ]  # fmt: skip
    for method in answer.methods:
        assert method.value == pytest.approx(6.909297, abs=5e-7)
        assert method.gradient == pytest.approx((2.583853, 2.0), abs=6e-6)
        assert method.seconds and method.seconds > 0


def test_only_the_numerical_methods_are_wrong_and_operations_are_as_counted_by_hand() -> None:
    """f has ×, sin and +; its derivatives cos and +. n = 2 inputs, 5 arrows."""
    methods = differentiate("x1*x2+sin(x1)", 2, 3).methods
    assert {method.name: (method.error, method.operations) for method in methods} == {
        "manual": (0.0, 5),
        "symbolic": (0.0, 5),
        "numerical, forward": (pytest.approx(1.8e-6, abs=5e-8), 3 * 3),
        "numerical, centred": (pytest.approx(2.5e-11, abs=5e-13), 4 * 3),
        "forward mode": (0.0, 2 * (3 + 5)),
        "reverse mode": (0.0, 3 + 5),
    }


def test_the_manual_row_is_the_slides_function_and_no_other() -> None:
    assert differentiate(" x1 * x2 + sin(x1)", 2, 3).methods[0].name == "manual"
    names = [method.name for method in differentiate("x1*x2+cos(x1)", 2, 3).methods]
    assert "manual" not in names and len(names) == 5


def test_a_method_without_an_answer_says_why_and_the_others_go_on() -> None:
    answer = differentiate("log(x)", 1e-6)
    problems = {method.name: method.problem for method in answer.methods}
    centred = problems.pop("numerical, centred")
    assert centred and "is not defined" in centred
    assert set(problems.values()) == {None}
    assert answer.methods[0].gradient == pytest.approx((1e6,))


def test_errors_are_measured_against_reverse_mode_where_the_formula_has_no_value() -> None:
    """SymPy writes 1.5·(x·y)**1.5/x, which is 0/0 at x = 0; the slope there is 0."""
    answer = differentiate("(x*y)**1.5 + x", 0.0, 1.0)
    assert answer.exact == (1.0, 0.0)
    symbolic, *_, by_tape = answer.methods
    assert symbolic.problem and "x ** (-1): 0 ** (-1) is not defined" in symbolic.problem
    assert by_tape.gradient == (1.0, 0.0)


def test_an_error_that_is_no_float_is_left_out() -> None:
    answer = differentiate("x*1e-320 + x**2*1e10", 0.0)
    errors = {method.name: method.error for method in answer.methods}
    assert errors["numerical, forward"] is None
    assert errors["reverse mode"] == 0
