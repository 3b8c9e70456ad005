"""Both modes of our tape say what torch says, on the slide's function and on random ones."""

from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from cnn_train.lecture.formulas.elementary import ELEMENTARY, FUNCTIONS, DomainError
from cnn_train.lecture.formulas.expression import parse_expressions
from cnn_train.lecture.formulas.forward_mode import forward_jacobian, push_forward
from cnn_train.lecture.formulas.graph import Graph
from cnn_train.lecture.formulas.reverse_mode import pull_back, reverse_jacobian
from cnn_train.lecture.formulas.symbolic import differentiate

# torch.func.jvp loads rules that torch itself still scripts with its own deprecated compiler.
pytestmark = [
    pytest.mark.filterwarnings(rf"ignore:`torch\.jit\.:{category}")
    for category in ("FutureWarning", "DeprecationWarning")  # the latter in older releases
]

TORCH: dict[str, Callable[..., Tensor]] = {
    "+": torch.add, "-": torch.sub, "*": torch.mul, "/": torch.div, "**": torch.pow,
    "neg": torch.neg, "sin": torch.sin, "cos": torch.cos, "tan": torch.tan, "exp": torch.exp,
    "log": torch.log, "sqrt": torch.sqrt, "tanh": torch.tanh, "relu": torch.relu,
    "max": torch.maximum, "sigmoid": torch.sigmoid, "abs": torch.abs, "sign": torch.sign,
}  # fmt: skip
LARGEST = 30.0
"""Beyond such values and slopes, the last digits in which two libraries differ are enlarged."""


def in_torch(graph: Graph) -> Callable[..., Tensor]:
    """Return the graph's outputs, stacked, as a function of one tensor per input."""

    def compute(*inputs: Tensor) -> Tensor:
        values: list[Tensor] = []
        given_inputs = iter(inputs)
        for node in graph.nodes:
            if node.operation == "input":
                values.append(next(given_inputs))
            elif node.operation == "constant":
                values.append(torch.tensor(node.constant, dtype=torch.float64))
            else:
                operands = [values[place] for place in node.operands]
                values.append(TORCH[node.operation](*operands))
        return torch.stack([values[output] for output in graph.outputs])

    return compute


def tensors(numbers: Sequence[float]) -> tuple[Tensor, ...]:
    return tuple(torch.tensor(number, dtype=torch.float64) for number in numbers)


def torch_gradient(graph: Graph, point: Sequence[float], output: int = 0) -> list[float]:
    inputs = [tensor.requires_grad_() for tensor in tensors(point)]
    value = in_torch(graph)(*inputs)[output]
    gradients = torch.autograd.grad(value, inputs, allow_unused=True)
    return [0.0 if slope is None else slope.item() for slope in gradients]


def torch_slope(graph: Graph, point: Sequence[float], direction: Sequence[float]) -> float:
    _, tangent = torch.func.jvp(in_torch(graph), tensors(point), tensors(direction))
    assert isinstance(tangent, Tensor)
    return tangent[0].item()


def combine(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    infix = st.tuples(parts, st.sampled_from("+-*/"), parts).map(lambda t: f"({t[0]}{t[1]}{t[2]})")
    powers = st.tuples(parts, st.sampled_from(["2", "3", "-1", "0.5", "y"])).map(
        lambda t: f"{t[0]}**{t[1]}"
    )
    names = st.sampled_from([name for name, number in FUNCTIONS.items() if number == 1])
    calls = st.tuples(names, parts).map(lambda t: f"{t[0]}({t[1]})")
    larger = st.tuples(parts, parts).map(lambda t: f"max({t[0]},{t[1]})")
    return infix | powers | calls | larger | parts.map(lambda part: f"(-{part})")


leaves = st.sampled_from(["x", "y", "z", "0.5", "2", "3"])
expressions = st.recursive(leaves, combine, max_leaves=8).map(lambda text: f"{text}+0*x*y*z")
numbers = st.floats(-3, 3).map(lambda number: round(number, 3))
points = st.lists(numbers, min_size=3, max_size=3)


def scale_of(graph: Graph, point: Sequence[float]) -> float:
    """Return the largest number that is added up; skip what has no slope, or a huge one."""
    try:
        values = graph.evaluate(point)
        backward = pull_back(graph, values, graph.outputs[0])
        tangents = push_forward(graph, point, [1.0, -1.0, 0.5]).tangents
    except DomainError:
        assume(False)
    adjoints = [number for step in backward.steps for number in (step.slope, step.collected)]
    largest = max(map(abs, [*values, *tangents, *adjoints]))
    assume(largest < LARGEST)
    return max(1.0, largest)


@settings(max_examples=150, deadline=None)
@given(expressions, points)
def test_reverse_mode_is_autograd_grad_on_random_expressions(text: str, point: list[float]) -> None:
    graph = parse_expressions([text])
    tolerance = 1e-12 * scale_of(graph, point)
    (ours,) = reverse_jacobian(graph, point)
    assert ours == pytest.approx(torch_gradient(graph, point), rel=1e-12, abs=tolerance)


@settings(max_examples=150, deadline=None)
@given(expressions, points)
def test_forward_mode_is_func_jvp_on_random_expressions(text: str, point: list[float]) -> None:
    graph = parse_expressions([text])
    tolerance = 1e-12 * scale_of(graph, point)
    direction = [1.0, -1.0, 0.5]
    ours = push_forward(graph, point, direction).tangents[graph.outputs[0]]
    assert ours == pytest.approx(torch_slope(graph, point, direction), rel=1e-12, abs=tolerance)


@settings(max_examples=60, deadline=None)
@given(expressions, points)
def test_sympys_formulas_say_what_the_tape_says_on_random_expressions(
    text: str, point: list[float]
) -> None:
    graph = parse_expressions([text])
    tolerance = 1e-9 * scale_of(graph, point)  # formulas may cancel where the tape does not
    exact = differentiate(graph).exact(point)
    assume(exact is not None)
    assert exact == pytest.approx(reverse_jacobian(graph, point)[0], rel=1e-9, abs=tolerance)


@pytest.mark.parametrize("operation", sorted(set(ELEMENTARY) - {"step"}))
def test_every_elementary_function_has_torchs_value_and_slopes(operation: str) -> None:
    elementary = ELEMENTARY[operation]
    graph = Graph()
    inputs = [graph.input(name) for name in ("a", "b")[: len(elementary.slopes)]]
    graph.outputs = [graph.apply(operation, *inputs)]
    point = [1.3, 0.7][: len(inputs)]
    assert graph.evaluate(point)[-1] == pytest.approx(in_torch(graph)(*tensors(point)).item())
    assert reverse_jacobian(graph, point)[0] == pytest.approx(torch_gradient(graph, point))


@pytest.mark.parametrize(
    "text", ["relu(x)", "abs(x)", "max(x, y)", "max(x, x*1)", "relu(-x)+max(0, x)"]
)
def test_at_a_kink_the_slope_is_torchs_choice(text: str) -> None:
    graph = parse_expressions([text, "y"])
    (ours, _), point = reverse_jacobian(graph, [0.0, 0.0]), [0.0, 0.0]
    assert ours == torch_gradient(graph, point)
    assert forward_jacobian(graph, point)[0] == ours


@pytest.mark.parametrize("mode", [forward_jacobian, reverse_jacobian])
def test_several_outputs_give_torchs_jacobian(mode: Callable[..., list[list[float]]]) -> None:
    graph = parse_expressions(["x*y", "sin(x)/z", "z**2+y"])
    point = [0.3, -1.2, 2.0]
    expected = [torch_gradient(graph, point, output) for output in range(3)]
    for ours, theirs in zip(mode(graph, point), expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12)
