"""Where a function has a kink: the slope from the left differs from the slope from the right.

    relu(x) at 0        0 from the left, 1 from the right
    abs(x) at 0         -1 from the left, 1 from the right
    max(x, y) at x = y  along x: 0 from the left, 1 from the right

There is no derivative at such a point. Automatic differentiation still answers, with a choice (0
for relu and abs, ½ each for max), and a centred difference gives the mean of the two sides. No
answer is right or wrong. In training this hardly matters: a kink is hardly ever met exactly.

Two kinks can add up to a straight line, and there the choices are wrong: relu(x) - relu(-x) is x,
whose slope is 1, but the chosen slopes give 0 - 0 = 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .elementary import DomainError
from .graph import Graph
from .numerical import moved
from .reverse_mode import reverse_jacobian

ASIDE = 1e-9
"""Distance from the point at which slopes are taken, as a share of max(1, |input|)."""

LEAST_SPREAD = 1e-3
"""Slopes that differ by less than this share of the largest one count as equal."""

NEARER, LEAST_KEPT = 0.25, 0.9
"""At a quarter of the distance, the slopes beside a kink still differ by at least 0.9 of the first
difference; where a function only bends, by a quarter of it."""

BENT = frozenset({"relu", "abs", "max"})
"""The functions that have a kink."""


def choice(graph: Graph) -> str:
    """Say which slope formulas and automatic differentiation choose at a kink."""
    of_abs = ", 0 for abs at 0" if any(node.operation == "abs" for node in graph.nodes) else ""
    return f"0 for relu at 0{of_abs}, ½ each for max of equals"


@dataclass(frozen=True)
class Kink:
    """The slopes of an output along one input on both sides, and the chosen slope.

    Where both sides are equal, the function is straight there and the choice is wrong.
    """

    name: str
    left: float
    right: float
    chosen: float

    @property
    def is_straight(self) -> bool:
        """Whether both sides have the same slope."""
        return not _differ(self.left, self.right)


def kinks_at(graph: Graph, point: Sequence[float], output: int = 0) -> tuple[Kink, ...]:
    """Return a kink for each input along which an output has no slope, or another than chosen.

    Raises DomainError where the function has no value there.
    """

    def slopes_beside(i: int, step: float) -> tuple[float, float] | None:
        """Return the slopes a little to the left and right; None without a value there."""
        try:
            left = reverse_jacobian(graph, moved(point, i, -step))[output][i]
            return left, reverse_jacobian(graph, moved(point, i, step))[output][i]
        except DomainError:
            return None

    if not _is_undecided(graph, graph.evaluate(point)):
        return ()
    chosen = reverse_jacobian(graph, point)[output]
    kinks = []
    for i, name in enumerate(graph.input_names):
        step = ASIDE * max(1.0, abs(point[i]))
        far, near = slopes_beside(i, step), slopes_beside(i, NEARER * step)
        if far and near and _is_kink([*far, chosen[i]], [*near, chosen[i]]):
            kinks.append(Kink(name, *near, chosen[i]))
    return tuple(kinks)


def _is_kink(far: Sequence[float], near: Sequence[float]) -> bool:
    kept = LEAST_KEPT * (max(far) - min(far))
    return _differ(*near) and max(near) - min(near) > kept


def _differ(*slopes: float) -> bool:
    return max(slopes) - min(slopes) > LEAST_SPREAD * max(map(abs, slopes))


def _is_undecided(graph: Graph, values: Sequence[float]) -> bool:
    """Say whether any relu, abs or max is exactly where its two straight pieces meet."""
    for node in graph.nodes:
        operands = [values[operand] for operand in node.operands]
        is_at_zero = node.operation in ("relu", "abs") and operands[0] == 0
        if is_at_zero or (node.operation == "max" and operands[0] == operands[1]):
            return True
    return False


def describe_kinks(kinks: Sequence[Kink], f: str = "f") -> str:
    """Write ``f has a kink here: along x the slope is 0 from the left and 1 from the right``."""
    bent, straight = [], []
    for kink in kinks:
        slope = f"along {kink.name} the slope is {kink.left:.4g}"
        if kink.is_straight:
            straight.append(f"{slope} on both sides, not {kink.chosen:.4g}")
        else:
            bent.append(f"{slope} from the left and {kink.right:.4g} from the right")
    said = {f"{f} has a kink here": bent, f"kinks of {f}'s parts meet here": straight}
    return "; ".join(f"{what}: {'; '.join(slopes)}" for what, slopes in said.items() if slopes)
