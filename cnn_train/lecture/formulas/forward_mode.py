"""Forward-mode automatic differentiation: push a slope through the graph beside each value.

Every number becomes a pair, a dual number: its value v, and its slope v̇ along one direction of the
inputs. The inputs are seeded with the direction, and each step applies the chain rule to the slopes
of its operands, which are known already:

    v = g(a, b)    v̇ = ∂g/∂a · ȧ + ∂g/∂b · ḃ

One pass gives every output's slope along one direction, so a gradient takes one pass per input:
cheap for 1 → n functions, far too slow for a loss of millions of weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .graph import Graph


@dataclass(frozen=True)
class ForwardPass:
    """One pass along ``direction``: every node's value and tangent, and the work that it took.

    operations: one per value that is computed, one per slope × tangent that is added up.
    """

    direction: tuple[float, ...]
    values: tuple[float, ...]
    tangents: tuple[float, ...]
    operations: int


def push_forward(graph: Graph, point: Sequence[float], direction: Sequence[float]) -> ForwardPass:
    """Carry values and tangents from the inputs to the outputs.

    Raises DomainError where a value or a slope on the way is not finite.
    """
    values: list[float] = []
    tangents: list[float] = []
    operations, seeds = 0, iter(zip(point, direction, strict=True))
    for position, node in enumerate(graph.nodes):
        if node.operation == "input":
            value, tangent = next(seeds)
            values.append(value)
        else:
            values.append(graph.compute(position, values))
            live = graph.live_operands(position)
            tangent = sum(
                graph.slope(position, k, values) * tangents[operand] for k, operand in live
            )
            operations += node.is_operation + len(live)
        tangents.append(graph.require_finite(position, tangent))
    return ForwardPass(tuple(direction), tuple(values), tuple(tangents), operations)


def forward_passes(graph: Graph, point: Sequence[float]) -> list[ForwardPass]:
    """Run the one pass per input that a gradient takes: pass i moves input i alone."""
    num = len(graph.input_names)
    directions = [[float(i == j) for j in range(num)] for i in range(num)]
    return [push_forward(graph, point, direction) for direction in directions]


def forward_jacobian(graph: Graph, point: Sequence[float]) -> list[list[float]]:
    """Return ∂output/∂input, a row per output: each pass is a column."""
    passes = forward_passes(graph, point)
    return [[run.tangents[output] for run in passes] for output in graph.outputs]


@dataclass(frozen=True)
class DualStep:
    """One line of the trace: a node's value and tangent, and how the tangent came about."""

    node: str
    formula: str
    value: float
    rule: str
    tangent: float


def trace_forward(graph: Graph, run: ForwardPass) -> list[DualStep]:
    """Write a pass down step by step; constants, whose tangent is 0, have no line."""
    values, tangents = run.values, run.tangents
    return [
        DualStep(graph.label(i), graph.step(i), values[i], chain_rule(graph, i), tangents[i])
        for i in graph.steps
    ]


def chain_rule(graph: Graph, position: int) -> str:
    """Write how a node's tangent follows from its operands', e.g. ``v2·v̇1 + v1·v̇2``."""
    if graph.nodes[position].operation == "input":
        return "seed"
    terms = []
    for k, operand in graph.live_operands(position):
        slope, tangent = graph.slope_text(position, k), dotted(graph.label(operand))
        terms.append({"1": tangent, "-1": f"-{tangent}"}.get(slope, f"{slope}·{tangent}"))
    return " + ".join(terms).replace("+ -", "- ") or "0"


def dotted(label: str) -> str:
    """Return ``v̇3`` for ``v3``: Newton's dot, for a slope that moves forward."""
    return f"{label[0]}\u0307{label[1:]}"
