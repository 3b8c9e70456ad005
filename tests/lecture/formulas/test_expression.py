import json
import math
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_train.errors import UsageError
from cnn_train.lecture.formulas.expression import (
    DEEPEST,
    MOST_CHARACTERS,
    parse_expressions,
    parse_point,
)

AT = {"x": 1.7, "y": 0.4}

PYTHON = {
    "sin": math.sin, "cos": math.cos, "tan": math.tan, "exp": math.exp, "log": math.log,
    "sqrt": math.sqrt, "tanh": math.tanh, "relu": lambda z: max(z, 0.0), "max": max,
}  # fmt: skip


def value(text: str) -> float:
    graph = parse_expressions([text])
    values = graph.evaluate([AT[name] for name in graph.input_names])
    return values[graph.outputs[0]]


@pytest.mark.parametrize(
    "text",
    [
        "x+y*2", "(x+y)*2", "x-y-1", "x/y/2", "x/y*2", "-x**2", "(-x)**2", "2**x**y", "x**-1",
        "--x", "+x-+y", "x*-y", "1.5e1*x", ".5*x", "3.*x", "sin(x)**2+cos(x)**2", "max(x,y)*2",
        "max(y, -x)", "relu(y-x)+relu(x-y)", "log(sqrt(exp(x)))", "tanh(tan(y))", " x  +\ty ",
    ],
)  # fmt: skip
def test_an_expression_means_what_it_means_in_python(text: str) -> None:
    names = {**PYTHON, **AT, "__builtins__": {}}
    assert value(text) == pytest.approx(eval(text.strip(), names), rel=1e-15)


def test_the_slides_signs_are_read() -> None:
    assert value("x·y − x÷y × 2") == value("x*y - x/y*2")


def test_inputs_are_in_the_natural_order_of_their_names_over_all_expressions() -> None:
    graph = parse_expressions(["x10*x2", "x1+b"])
    assert graph.input_names == ["b", "x1", "x2", "x10"]


ORDERS = {
    "w*x + w0": ["w", "w0", "x"],
    "x - 2*x0": ["x", "x0"],
    "b*a00 + a0*a + a1": ["a", "a0", "a00", "a1", "b"],
    "x٣ + x3 + x2": ["x2", "x3", "x٣"],
}
"""Formulas with names that differ in nothing but their zeros or in the script of a digit."""

PROGRAM = """
import json, sys
from cnn_train.lecture.formulas.expression import parse_expressions
from cnn_train.lecture.formulas.symbolic import differentiate
graphs = [parse_expressions([text]) for text in json.loads(sys.argv[1])]
print(json.dumps([[g.input_names, g.nodes, differentiate(g).texts] for g in graphs], default=vars))
"""


def test_the_order_of_the_inputs_is_the_same_in_every_process() -> None:
    command = [sys.executable, "-c", PROGRAM, json.dumps(list(ORDERS))]
    processes = [
        subprocess.Popen(command, env=os.environ | {"PYTHONHASHSEED": seed}, stdout=subprocess.PIPE)
        for seed in "0123"
    ]
    first, *others = [json.loads(process.communicate()[0]) for process in processes]
    assert [names for names, _, _ in first] == list(ORDERS.values())
    assert first[0][2] == ["x", "1", "w"]  # the slopes of w·x + w0 by w, w0 and x
    assert others == [first] * 3


def test_any_name_may_be_a_variable_and_none_is_looked_up() -> None:
    graph = parse_expressions(["__import__*lambda+θ1+E", "µ*μ*if*None"])
    assert graph.input_names == ["E", "None", "__import__", "if", "lambda", "µ", "θ1", "μ"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x*pi", 1.7 * math.pi), ("x*π", 1.7 * math.pi), ("e**x", math.exp(1.7)),
        ("-pi+x", 1.7 - math.pi), ("x+pie-e", 1.7 + 0.4 - math.e), ("ln(x)", math.log(1.7)),
        ("abs(y-x)", 1.3), ("sigmoid(x)", 1 / (1 + math.exp(-1.7))),
    ],
)  # fmt: skip
def test_pi_and_e_are_numbers_and_ln_is_log(text: str, expected: float) -> None:
    assert value(text.replace("pie", "y")) == pytest.approx(expected, rel=1e-15)
    assert set(parse_expressions(["pie*x"]).input_names) == {"pie", "x"}


@pytest.mark.parametrize(("z", "expected"), [(-1000.0, 0.0), (1000.0, 1.0), (-40.0, 4.248354e-18)])
def test_a_sigmoid_of_a_large_number_is_no_overflow(z: float, expected: float) -> None:
    assert parse_expressions(["sigmoid(z)"]).evaluate([z])[-1] == pytest.approx(expected, rel=1e-6)


def test_a_derivative_may_call_step_and_sign_and_is_named_in_its_errors() -> None:
    graph = parse_expressions(["abs(x)*relu(y)"], ["sign(x)*relu(y)", "abs(x)*step(y)"])
    values = graph.evaluate([-3.0, 2.0])
    assert [values[output] for output in graph.outputs] == [6.0, -2.0, 3.0]
    with pytest.raises(UsageError, match=r"^--mine '2y', column 2, 'y': an op"):
        parse_expressions(["x*y"], ["2y", "x"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x1*sen(x1)", r"^--expr 'x1\*sen\(x1\)', column 4, 'sen': .* did you mean sin\?$"),
        ("foo(x)", "column 1, 'foo': there is no such function, only sin, cos, "),
        ("__import__('os')", "column 12, \"'\": has no meaning here"),
        ("2x", r"^--expr '2x', column 2, 'x': an operator .*; a product is .*2\*x$"),
        ("x y", "column 3, 'y': an operator is missing"),
        ("x(2)", "column 1, 'x': there is no such function"),
        ("(x", r"^--expr '\(x', column 1, '\(': this parenthesis is never closed$"),
        ("sin(x", r"column 4, '\(': this parenthesis is never closed"),
        ("x)", r"column 2, '\)': no parenthesis is open here"),
        ("x,y", "column 2, ',': is unexpected here"),
        ("0,5*x", r"column 2, ',': is unexpected here; decimals take a point, as 1.5$"),
        ("x^2", r"column 2, '\^': a power is written with \*\*, as x\*\*2$"),
        ("2*x²", r"column 3, 'x²': a power is written with \*\*"),
        ("x ; y", "column 3, ';': has no meaning here"),
        ("x.y", r"column 2, '\.': has no meaning here"),
        ("x[0]", r"column 2, '\[': has no meaning here"),
        ("x if y else 2", "column 3, 'if': an operator is missing"),
        ("x//y", "column 3, '/': a number"),
        ("max(*x)", r"column 5, '\*': a number"),
        ("sin(x,)", r"column 7, '\)': a number"),
        ("1_000*x", "column 2, '_000': an operator is missing"),
        ("2j*x", "column 2, 'j': an operator is missing"),
        ("2pi*x", "column 2, 'pi': an operator is missing"),
        ("", "^--expr '', at the end: a number, a variable or a function is missing$"),
        ("x+", r"^--expr 'x\+', at the end: a number, a variable or a function is missing$"),
        ("x+*y", r"column 3, '\*': a number"),
        ("max(x)", "column 1, 'max': takes 2 operands, not 1"),
        ("sin(x, y)", "column 1, 'sin': takes 1 operand, not 2"),
        ("sin", r"column 1, 'sin': is a function; write sin\(…\)"),
        ("2*ln", r"column 3, 'ln': is a function; write ln\(…\)"),
        ("1e999*x", "column 1, '1e999': is too large for a float"),
        ("3+4", r"there is no variable in '3\+4'"),
        ("2*pi", r"there is no variable in '2\*pi'"),
        ("e(x)", "column 1, 'e': there is no such function"),
        ("step(x)", "'step': there is no such function"),
        ("neg(x)", "'neg': there is no such function"),
        ("x+" * 40 + "2y", r"^--expr '…\+x\+.*\+2y', column 82, 'y': an operator"),
    ],
)  # fmt: skip
def test_a_bad_expression_is_one_line_that_quotes_the_place(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_expressions([text])


PIECES = [
    *"xθ2+-*/(),·²^=:'[]{#\\\0\n.@<!", "y1", ".5", "1e-3", "**", "//", "sin(", "max(", "sin",
    "lambda", "if", "else", "for", "in", "not", "None",
]  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.text() | st.lists(st.sampled_from(PIECES)).map(" ".join))
def test_any_text_is_a_graph_or_refused_in_one_line(text: str) -> None:
    try:
        answer = parse_expressions([text]).outputs
    except UsageError as refusal:
        answer = str(refusal).splitlines()
    assert len(answer) == 1


@pytest.mark.parametrize(("before", "after"), [("(", ")"), ("-", ""), ("sin(", ")"), ("2**", "")])
def test_deep_nesting_is_refused_before_it_exhausts_the_stack(before: str, after: str) -> None:
    half, more = DEEPEST // 2, DEEPEST + 1
    parse_expressions([half * before + "x" + half * after])
    with pytest.raises(UsageError, match=f"nested more than {DEEPEST} deep"):
        parse_expressions([more * before + "x" + more * after])


def test_a_text_may_be_long_but_not_longer() -> None:
    longest = "+x" * (MOST_CHARACTERS // 2)
    parse_expressions([longest])
    with pytest.raises(UsageError, match=f"at most {MOST_CHARACTERS}"):
        parse_expressions([longest + "+x"])


@pytest.mark.parametrize("text", ["2,3", "2 3", " 2 , 3 ", "2.0,3 ", "x=2,y=3", "y=3 x=2", "2,y=3"])
def test_a_point_is_read_in_order_or_by_name(text: str) -> None:
    assert parse_point(text, ["x", "y"]) == [2.0, 3.0]


def test_a_point_may_be_negative_and_have_exponents() -> None:
    assert parse_point("-1.5e-3,−2", ["x", "y"]) == [-0.0015, -2.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2", r"1 number for 2 inputs \(x, y\)"),
        ("1,2,3", "3 numbers for 2 inputs"),
        ("", "0 numbers for 2 inputs"),
        ("2,a", "'a' is not a number"),
        ("2,nan", "'nan' is not finite"),
        ("inf,2", "'inf' is not finite"),
        ("x=1,z=2", "give each of x, y one number"),
        ("x=1,x=2", "give each of x, y one number"),
        ("1,5 2,5", "1,5 may be one number or two; decimals take a point, as 1.5"),
        ("1,5; 2", "1,5 may be one number or two; decimals take a point, as 1.5"),
        ("-0,5, 2", "-0,5 may be one number or two; decimals take a point, as 1.5"),
        ("x=1,5 y=2", "1,5 may be one number or two; decimals take a point, as 1.5"),
        ("1,5,2", "3 numbers for 2 inputs .*; decimals take a point"),
        ("x=1,5", "5 has no name; decimals take a point"),
        ("x=1,y=2,pi=3", "pi is a number; give the input another name"),
        ("x=1,e=2", "e is a number; give the input another name"),
    ],
)
def test_a_bad_point_is_one_line(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_point(text, ["x", "y"])
