"""Where a function has a kink: the slope from the left is another than the slope from the right.

    relu(x) at 0        0 from the left, 1 from the right
    max(x, y) at x = y  along x: 0 from the left, 1 from the right

There is no derivative at such a point. Automatic differentiation answers all the same, with a
choice (0 for relu, ½ each for max); a difference gives what lies between the two sides. Neither is
wrong, and none is the truth. Training does not mind: it hardly ever meets a kink exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .elementary import DomainError
from .graph import Graph
from .numerical import moved
from .reverse_mode import reverse_jacobian

ASIDE = 1e-6
"""How far beside the kink the slopes are taken, of the input or of 1."""

LEAST_TURN = 1e-3
"""Of the larger slope: by less, the two sides do not differ; relu(x) - relu(-x) is straight."""


@dataclass(frozen=True)
class Kink:
    """The slopes of the first output on both sides of a kink, along one input."""

    name: str
    left: float
    right: float


def kinks_at(graph: Graph, point: Sequence[float]) -> tuple[Kink, ...]:
    """Return a kink for each input along which the first output bends sharply at ``point``.

    Raises DomainError where the function has no value there.
    """
    if not _is_undecided(graph, graph.evaluate(point)):
        return ()
    sides = ((name, _slopes_beside(graph, point, i)) for i, name in enumerate(graph.input_names))
    return tuple(
        Kink(name, *slopes)
        for name, slopes in sides
        if slopes and abs(slopes[1] - slopes[0]) > LEAST_TURN * max(map(abs, slopes))
    )


def _is_undecided(graph: Graph, values: Sequence[float]) -> bool:
    """Say whether any relu or max stands exactly where its two straight pieces meet."""
    for node in graph.nodes:
        if node.operation == "relu" and values[node.operands[0]] == 0:
            return True
        if node.operation == "max" and values[node.operands[0]] == values[node.operands[1]]:
            return True
    return False


def _slopes_beside(graph: Graph, point: Sequence[float], i: int) -> tuple[float, float] | None:
    """Return the slopes by input i a little to its left and right; None without a value there."""
    h = ASIDE * max(1.0, abs(point[i]))
    try:
        left, right = (reverse_jacobian(graph, moved(point, i, step))[0][i] for step in (-h, h))
    except DomainError:
        return None
    return left, right


def describe_kinks(kinks: Sequence[Kink]) -> str:
    """Write ``along x the slope is 0 from the left and 1 from the right``, for each."""
    return "; ".join(
        f"along {one.name} the slope is {one.left:.4g} from the left and {one.right:.4g} from "
        "the right"
        for one in kinks
    )
