import math

from cnn_train.lecture.formulas.expression import parse_expressions
from cnn_train.lecture.formulas.reverse_mode import chain_rule, paths_into, reverse_passes


def test_the_slides_trace_step_by_step() -> None:
    """Worked by hand at (2, 3): from v5 to v3 and v4, from v4 to v1, from v3 to v1 and v2."""
    graph = parse_expressions(["x1*x2+sin(x1)"])
    values, (run,) = reverse_passes(graph, [2.0, 3.0])
    assert values == [2.0, 3.0, 6.0, math.sin(2), 6 + math.sin(2)]
    assert [(s.node, s.operand, s.contribution, s.collected) for s in run.steps] == [
        (4, 2, 1.0, 1.0),
        (4, 3, 1.0, 1.0),
        (3, 0, math.cos(2), math.cos(2)),
        (2, 0, 3.0, math.cos(2) + 3.0),
        (2, 1, 2.0, 2.0),
    ]
    assert [chain_rule(graph, step) for step in run.steps] == [
        "v̄5", "v̄5", "v̄4·cos(v1)", "v̄3·v2", "v̄3·v1",
    ]  # fmt: skip
    assert run.adjoints == {4: 1.0, 3: 1.0, 2: 1.0, 1: 2.0, 0: 3.0 + math.cos(2)}


def test_x1_collects_its_two_paths() -> None:
    graph = parse_expressions(["x1*x2+sin(x1)"])
    _, (run,) = reverse_passes(graph, [2.0, 3.0])
    assert sorted(paths_into(run, 0)) == [math.cos(2), 3.0]
    assert run.gradient[0] == sum(paths_into(run, 0))
    assert paths_into(run, 1) == [2.0]


def test_a_node_that_an_output_does_not_use_costs_nothing() -> None:
    graph = parse_expressions(["x*y", "sin(x)"])
    _, (product, sine) = reverse_passes(graph, [1.0, 2.0])
    assert (product.operations, sine.operations) == (2, 1)
    assert sine.gradient == (math.cos(1), 0.0)


def test_an_output_may_be_an_input() -> None:
    _, (run,) = reverse_passes(parse_expressions(["x + 0*y"]), [1.0, 2.0])
    _, (same, _) = reverse_passes(parse_expressions(["x", "y"]), [1.0, 2.0])
    assert run.gradient == same.gradient == (1.0, 0.0)
