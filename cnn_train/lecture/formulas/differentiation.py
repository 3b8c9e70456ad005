"""Four ways to a gradient, side by side: manual, symbolic, numerical, automatic.

    f(x1, x2) = x1·x2 + sin(x1)    ∂f/∂x1 = x2 + cos(x1)    ∂f/∂x2 = x1

All but the numerical way are exact up to rounding. By hand one gets the fastest code and the most
mistakes; symbolic formulas grow; numerical slopes are slow and approximate; automatic
differentiation needs no formula, and in reverse mode takes one pass for any number of inputs.
"""

import math
import timeit
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from .elementary import DomainError
from .expression import parse_expressions
from .forward_mode import forward_jacobian
from .graph import Graph
from .kinks import Kink, kinks_at
from .mode_costs import count_costs
from .numerical import (
    StepError,
    beside,
    centred_differences,
    errors_against_step,
    forward_differences,
    largest_error,
)
from .reverse_mode import reverse_jacobian
from .symbolic import differentiate, time_derivation

SLIDE_EXPRESSION = "x1*x2 + sin(x1)"
SLIDE_DERIVATIVES = ("x2 + cos(x1)", "x1")
TIMED_SECONDS, TIMED_ROUNDS = 0.002, 5


def slide_gradient(x1: float, x2: float) -> list[float]:
    """Return the derivatives of the slide's function, found with pencil and paper."""
    return [x2 + math.cos(x1), x1]


@dataclass(frozen=True)
class Method:
    """The answer of one method.

    error: the largest relative error of an entry (absolute where the slope is 0). operations:
    functions evaluated, plus slope × tangent steps in the automatic modes. seconds: for one
    gradient, the median of several rounds. problem: why there is no gradient, if so.
    """

    name: str
    value: float | None = None
    gradient: tuple[float, ...] | None = None
    error: float | None = None
    operations: int | None = None
    seconds: float | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Differentiation:
    """One function at one point, differentiated by every method.

    derivatives: the symbolic formulas. derivation_seconds: to find them. exact: the slopes that
    errors are measured against, from those formulas with 40 digits, or from reverse mode where they
    have no value; at a kink, where there is no derivative, the slopes that the formulas choose.
    curve: the numerical errors against the step h.
    """

    expression: str
    input_names: tuple[str, ...]
    point: tuple[float, ...]
    derivatives: tuple[str, ...]
    derivation_seconds: float
    exact: tuple[float, ...]
    h: float
    methods: tuple[Method, ...]
    curve: tuple[StepError, ...]
    kinks: tuple[Kink, ...]

    @property
    def is_absolute(self) -> bool:
        """Whether an exact slope is 0, so that its error is absolute."""
        return not all(self.exact)


def differentiate_every_way(
    expression: str, graph: Graph, point: Sequence[float], h: float
) -> Differentiation:
    """Differentiate the graph's only output by every method.

    Raises DomainError where the function has no value or no slope at ``point``.
    """
    (output,) = graph.outputs
    by_reverse = reverse_jacobian(graph, point)[0]
    symbolic = differentiate(graph)
    exact = symbolic.exact(point) or by_reverse

    def f(moved: Sequence[float]) -> float:
        return graph.evaluate(moved)[output]

    def by_formula() -> list[float]:
        if symbolic.problem:
            raise DomainError(symbolic.problem)
        values = symbolic.graph.evaluate(point)
        return [values[position] for position in symbolic.graph.outputs[1:]]

    num, size = len(graph.input_names), graph.num_operations
    costs = count_costs("this function", graph, point)
    ways: dict[str, tuple[Callable[[], list[float]], int]] = {
        "symbolic": (by_formula, symbolic.graph.num_operations),
        "numerical, forward": (lambda: forward_differences(beside(f), point, h), (num + 1) * size),
        "numerical, centred": (lambda: centred_differences(beside(f), point, h), 2 * num * size),
        "forward mode": (lambda: forward_jacobian(graph, point)[0], costs.forward_operations),
        "reverse mode": (lambda: reverse_jacobian(graph, point)[0], costs.reverse_operations),
    }
    if graph.nodes == parse_expressions([SLIDE_EXPRESSION]).nodes:
        written = parse_expressions([SLIDE_EXPRESSION, *SLIDE_DERIVATIVES])
        ways = {"manual": (lambda: slide_gradient(*point), written.num_operations)} | ways
    return Differentiation(
        expression=expression,
        input_names=tuple(graph.input_names),
        point=tuple(point),
        derivatives=symbolic.texts,
        derivation_seconds=0.0 if symbolic.problem else time_derivation(graph),
        exact=tuple(exact),
        h=h,
        methods=tuple(
            _try(name, f(point), way, operations, exact) for name, (way, operations) in ways.items()
        ),
        curve=tuple(errors_against_step(f, point, exact)),
        kinks=kinks_at(graph, point),
    )


def _try(
    name: str, value: float, way: Callable[[], list[float]], operations: int, exact: Sequence[float]
) -> Method:
    """Run one method and time it, or say why it gives no gradient."""
    try:
        gradient = way()
    except DomainError as problem:
        return Method(name, problem=str(problem))
    if not all(map(math.isfinite, gradient)):
        return Method(name, problem="the differences are too large for a float")
    error = largest_error(gradient, exact)
    finite = error if math.isfinite(error) else None  # relative to a slope of 1e-320
    return Method(name, value, tuple(gradient), finite, operations, time_call(way))


def time_call(call: Callable[[], object]) -> float:
    """Return the seconds of one call: the median of a few rounds of many calls."""
    number = 1
    while timeit.timeit(call, number=number) < TIMED_SECONDS:
        number *= 2
    return median(timeit.repeat(call, number=number, repeat=TIMED_ROUNDS)) / number
