import math

from cnn_train.lecture.formulas.expression import parse_expressions
from cnn_train.lecture.formulas.forward_mode import forward_passes, push_forward, trace_forward


def test_the_slides_trace_step_by_step() -> None:
    """Worked by hand at (2, 3) along x1."""
    graph = parse_expressions(["x1*x2+sin(x1)"])
    trace = trace_forward(graph, push_forward(graph, [2.0, 3.0], [1.0, 0.0]))
    assert [(step.node, step.formula, step.value, step.tangent) for step in trace] == [
        ("v1", "x1", 2.0, 1.0),
        ("v2", "x2", 3.0, 0.0),
        ("v3", "v1 × v2", 6.0, 3.0),
        ("v4", "sin(v1)", math.sin(2), math.cos(2)),
        ("v5", "v3 + v4", 6 + math.sin(2), 3 + math.cos(2)),
    ]
    assert [step.rule for step in trace] == [
        "seed", "seed", "v2·v̇1 + v1·v̇2", "cos(v1)·v̇1", "v̇3 + v̇4",
    ]  # fmt: skip


def test_there_is_one_pass_per_input_and_each_moves_one() -> None:
    graph = parse_expressions(["x*y*z", "x+y"])
    passes = forward_passes(graph, [1.0, 2.0, 3.0])
    assert [run.direction for run in passes] == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]


def test_a_minus_sign_is_written_once() -> None:
    graph = parse_expressions(["x-y"])
    assert trace_forward(graph, push_forward(graph, [1, 2], [1, 0]))[-1].rule == "v̇1 - v̇2"
