"""Reverse-mode automatic differentiation, or backpropagation: pull a slope back through the graph.

First the forward pass computes and keeps every value: the tape. Then the tape is read backwards.
The adjoint v̄ of a node is the slope of the output by that node: 1 for the output itself. Every node
passes its adjoint on to its operands:

    v = g(a, b)    ā += v̄ · ∂g/∂a    b̄ += v̄ · ∂g/∂b

A node that is used twice collects two contributions, one per path. One pass gives one output's
slope by every input: that is why a loss of millions of weights can be trained at all. The price is
memory, for the tape must be kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .graph import Graph


@dataclass(frozen=True)
class AdjointStep:
    """What a node adds to an operand's adjoint: ``contribution``; the sum so far is ``collected``.

    node, operand: positions in the graph. number: 0 or 1, which operand of the node it is.
    """

    node: int
    number: int
    operand: int
    slope: float
    contribution: float
    collected: float


@dataclass(frozen=True)
class ReversePass:
    """One pass: the ``gradient`` of one output by every input, and the work that it took.

    adjoints: by position, at the end. operations: one per slope × adjoint that is added up, so
    without those of the forward pass, which all outputs share.
    """

    output: int
    steps: tuple[AdjointStep, ...]
    adjoints: dict[int, float]
    gradient: tuple[float, ...]
    operations: int


def pull_back(graph: Graph, values: Sequence[float], output: int) -> ReversePass:
    """Hand adjoints from one output back to the inputs; ``values`` is the tape.

    Raises DomainError where a slope on the way is not finite.
    """
    adjoints = {output: 1.0}
    steps: list[AdjointStep] = []
    for node in range(output, -1, -1):
        if node not in adjoints:  # the output does not use it
            continue
        for number, operand in graph.live_operands(node):
            slope = graph.slope(node, number, values)
            contribution = adjoints[node] * slope
            collected = graph.require_finite(operand, adjoints.get(operand, 0.0) + contribution)
            adjoints[operand] = collected
            steps.append(AdjointStep(node, number, operand, slope, contribution, collected))
    inputs = [position for position, node in enumerate(graph.nodes) if node.operation == "input"]
    gradient = tuple(adjoints.get(position, 0.0) for position in inputs)
    return ReversePass(output, tuple(steps), adjoints, gradient, operations=len(steps))


def reverse_passes(graph: Graph, point: Sequence[float]) -> tuple[list[float], list[ReversePass]]:
    """Return the tape of the one forward pass, and one backward pass per output."""
    values = graph.evaluate(point)
    return values, [pull_back(graph, values, output) for output in graph.outputs]


def reverse_jacobian(graph: Graph, point: Sequence[float]) -> list[list[float]]:
    """Return ∂output/∂input, a row per output: each pass is a row."""
    return [list(run.gradient) for run in reverse_passes(graph, point)[1]]


def chain_rule(graph: Graph, step: AdjointStep) -> str:
    """Write what a node hands on, e.g. ``v̄3·v2``."""
    adjoint, slope = barred(graph.label(step.node)), graph.slope_text(step.node, step.number)
    return {"1": adjoint, "-1": f"-{adjoint}"}.get(slope, f"{adjoint}·{slope}")


def paths_into(run: ReversePass, position: int) -> list[float]:
    """List the contributions that a node collected, one per path from the output to it."""
    return [step.contribution for step in run.steps if step.operand == position]


def barred(label: str) -> str:
    """Return ``v̄3`` for ``v3``: a bar, for a slope that is handed back."""
    return f"{label[0]}\u0304{label[1:]}"
