import pytest

from cnn_train.lecture.formulas.elementary import DomainError
from cnn_train.lecture.formulas.expression import parse_expressions
from cnn_train.lecture.formulas.forward_mode import forward_jacobian
from cnn_train.lecture.formulas.graph import Graph
from cnn_train.lecture.formulas.reverse_mode import reverse_jacobian


def steps(graph: Graph) -> list[str]:
    return [f"{graph.label(position)} = {graph.step(position)}" for position in graph.steps]


def test_the_slides_graph_has_the_nodes_x1_x2_times_sin_plus() -> None:
    graph = parse_expressions(["x1*x2+sin(x1)"])
    assert [graph.symbol(i) for i in range(5)] == ["x1", "x2", "×", "sin", "+"]
    assert steps(graph) == ["v1 = x1", "v2 = x2", "v3 = v1 × v2", "v4 = sin(v1)", "v5 = v3 + v4"]
    assert graph.arrows == [(0, 2, 0), (1, 2, 1), (0, 3, 0), (2, 4, 0), (3, 4, 1)]
    assert graph.outputs == [4] and graph.num_operations == 3


def test_equal_parts_are_one_node() -> None:
    graph = parse_expressions(["sin(x)*sin(x)", "sin(x)+1"])
    assert steps(graph) == ["v1 = x", "v2 = sin(v1)", "v3 = v2 × v2", "v4 = v2 + 1"]


def test_constants_are_part_of_a_symbol_and_have_no_number_of_their_own() -> None:
    graph = parse_expressions(["max(0, -x**2*3)"])
    symbols = [graph.symbol(position) for position in graph.steps]
    assert symbols == ["x", "** 2", "-", "× 3", "max(0, ·)"]
    assert len(graph.arrows) == 4
    assert steps(graph)[-2:] == ["v4 = v3 × 3", "v5 = max(0, v4)"]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("(x+y)*x", "(x + y) × x"),
        ("x-(y-x)", "x - (y - x)"),
        ("sin(x+y)*2", "sin(x + y) × 2"),
        ("(-x)**2", "(-x) ** 2"),
        ("x*-2", "x × (-2)"),
        ("max(x,y+1)", "max(x, y + 1)"),
    ],
)
def test_a_formula_is_written_so_that_it_reads_back_as_the_same_graph(
    text: str, written: str
) -> None:
    graph = parse_expressions([text])
    assert graph.write(graph.outputs[0]) == written
    assert parse_expressions([written]).nodes == graph.nodes


@pytest.mark.parametrize(
    ("text", "point", "message"),
    [
        ("x*log(x-3)", [2.0], r"log\(x - 3\): log\(-1\) is not defined; choose another --at"),
        ("1/(x-2)", [2.0], r"1 / \(x - 2\): 1 / 0 divides by zero"),
        ("sqrt(-x)", [2.0], r"sqrt\(-x\): sqrt\(-2\) is not defined"),
        ("x**0.5", [-1.0], r"\(-1\) \*\* 0.5 is not defined"),
        ("0**x", [-1.0], r"0 \*\* \(-1\) is not defined"),
        ("exp(x)", [1000.0], r"exp\(1000\) is too large for a float"),
        ("x*x", [1e200], r"is too large for a float"),
        ("9**9**x", [9.0], r"is too large for a float"),
    ],
)
def test_where_there_is_no_value_the_part_is_named(
    text: str, point: list[float], message: str
) -> None:
    with pytest.raises(DomainError, match=message):
        parse_expressions([text]).evaluate(point)


@pytest.mark.parametrize(
    ("text", "point", "message"),
    [
        ("sqrt(x)", [0.0], r"sqrt\(x\): sqrt\(0\) has a value, but its slope divides by zero"),
        ("x**0.5", [0.0], "has a value, but its slope is not defined"),
        ("(-2)**x", [2.0], "has a value, but its slope is not defined"),
        ("1e200*(1e200*x)", [1e-300], "the slope is too large for a float"),
    ],
)
@pytest.mark.parametrize("jacobian", [forward_jacobian, reverse_jacobian])
def test_where_there_is_no_slope_both_modes_say_so(
    text: str, point: list[float], message: str, jacobian: object
) -> None:
    assert callable(jacobian)
    graph = parse_expressions([text])
    graph.evaluate(point)
    with pytest.raises(DomainError, match=message):
        jacobian(graph, point)


def test_the_slope_of_a_constant_part_is_never_asked_for() -> None:
    """x ** 2 needs no logarithm of x, sqrt(0) of a number no slope."""
    graph = parse_expressions(["x**2 + sqrt(0)*x + x**0"])
    assert reverse_jacobian(graph, [-3.0]) == forward_jacobian(graph, [-3.0]) == [[-6.0]]
