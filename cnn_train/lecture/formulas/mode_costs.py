"""Which mode is cheaper: forward mode pays per input, reverse mode per output.

A function n → m (n inputs, m outputs) of N steps whose graph has E arrows costs

    forward pass    N                 values only
    forward mode    n · (N + E)       a pass per input, each with values and tangents
    reverse mode    N + m · (≤ E)     one tape, then a pass per output along its arrows

The operations are counted while the passes run. A loss is n → 1: reverse mode takes one pass,
whatever n is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .expression import parse_expressions
from .forward_mode import forward_passes
from .graph import Graph
from .reverse_mode import reverse_passes

DEMONSTRATED_SIZE = 8


@dataclass(frozen=True)
class ModeCosts:
    """Passes and operations to get all slopes of one function; its values alone in ``values``."""

    function: str
    num_inputs: int
    num_outputs: int
    values: int
    forward_passes: int
    forward_operations: int
    reverse_passes: int
    reverse_operations: int


def count_costs(function: str, graph: Graph, point: Sequence[float]) -> ModeCosts:
    """Run both modes at ``point`` and count."""
    forward = forward_passes(graph, point)
    _, backward = reverse_passes(graph, point)
    return ModeCosts(
        function=function,
        num_inputs=len(graph.input_names),
        num_outputs=len(graph.outputs),
        values=graph.num_operations,
        forward_passes=len(forward),
        forward_operations=sum(run.operations for run in forward),
        reverse_passes=len(backward),
        reverse_operations=graph.num_operations + sum(run.operations for run in backward),
    )


def compare_modes(graph: Graph, point: Sequence[float]) -> list[ModeCosts]:
    """Count for the given function, then for a function 1 → n and a function n → 1."""
    size = DEMONSTRATED_SIZE
    one_to_many = parse_expressions(["sin(x)", *(f"sin({k}*x)" for k in range(2, size + 1))])
    names = [f"x{k}" for k in range(1, size + 1)]
    many_to_one = parse_expressions(["+".join(f"sin({name})" for name in names)])
    return [
        count_costs("this function", graph, point),
        count_costs(f"sin(x),…,sin({size}x)", one_to_many, [1.0]),
        count_costs(f"sin(x1)+…+sin(x{size})", many_to_one, [1.0] * size),
    ]
