"""Compare a derivative that somebody found by hand with the right one, and say what is wrong.

The right one is a sum over all paths from an input to the output; each is a product of slopes:

    ∂f/∂x = Σ_paths Π_steps ∂v/∂operand

Most mistakes change one part: the sign or a factor of the sum or of one path; or a path is
forgotten, or in its product one slope (the chain rule). What explains the difference at several
points at once is the mistake.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...errors import UsageError
from .elementary import DomainError
from .expression import parse_expressions
from .graph import Graph
from .kinks import describe_kinks, kinks_at
from .reverse_mode import paths_into, pull_back
from .symbolic import render_formula, slope_formula

NUM_POINTS, LEAST_POINTS = 12, 3
TOLERANCE, ROUNDING = 1e-6, 1e-12
GOLDEN = (math.sqrt(5) - 1) / 2

Path = tuple[tuple[int, int], ...]
"""Steps from an input to the output: each a node, and by which of its operands it is entered."""


@dataclass(frozen=True)
class Grade:
    """One input's derivative: as given, its value at the point, the right value, what is wrong.

    value: None where it has none. problem: empty if it is right at all ``num_points``.
    """

    name: str
    mine: str
    value: float | None
    right: float
    num_points: int
    problem: str = ""


def grade(expression: str, mine: Sequence[str], point: Sequence[float]) -> list[Grade]:
    """Judge a derivative by each input, at the point and some around it.

    Raises DomainError where the function has no slope at the point, UsageError at a kink.
    """
    graph = parse_expressions([expression])
    if kinks := kinks_at(graph, point):
        raise UsageError(f"{describe_kinks(kinks)}; there is no derivative, choose another --at")
    tapes = [graph.evaluate(point), *_tapes_around(graph, point)]
    runs = [pull_back(graph, tape, graph.outputs[0]) for tape in tapes]
    rights = [[run.gradient[i] for run in runs] for i in range(len(point))]
    grades = []
    for i, (name, text) in enumerate(zip(graph.input_names, mine, strict=True)):
        values, problem = _values(expression, text, graph, tapes)
        sizes = [sum(map(abs, paths_into(run, i))) for run in runs]
        if not problem and not _all_close(values, rights[i], sizes):
            problem = _explain(graph, i, tapes, values, rights)
        value = values[0] if values else None
        grades.append(Grade(name, text, value, rights[i][0], len(tapes), problem))
    return grades


def _tapes_around(graph: Graph, point: Sequence[float]) -> Iterator[list[float]]:
    """Yield the tapes of points within 1 of ``point`` where there is a slope."""
    for k in range(1, NUM_POINTS):
        shares = [GOLDEN * (k * len(point) + i) % 1 for i in range(len(point))]
        moved = [x + 2 * share - 1 for x, share in zip(point, shares, strict=True)]
        try:
            tape = graph.evaluate(moved)
            pull_back(graph, tape, graph.outputs[0])
        except DomainError:
            continue
        if not kinks_at(graph, moved):
            yield tape


def _values(
    expression: str, text: str, graph: Graph, tapes: Sequence[Sequence[float]]
) -> tuple[list[float], str]:
    """Return the values of one derivative, or why it has none where the function has a slope."""
    both = parse_expressions([expression], [text])
    if strange := set(both.input_names) - set(graph.input_names):
        known = ", ".join(graph.input_names)
        raise UsageError(f"--mine {text!r}: {min(strange)} is no input of --expr ({known})")
    try:
        points = [tape[: len(graph.input_names)] for tape in tapes]
        return [both.evaluate(one)[both.outputs[1]] for one in points], ""
    except DomainError as problem:
        return [], f"it has no value where the function has a slope: {problem}".split("; ")[0]


def _all_close(
    values: Sequence[float], rights: Sequence[float], sizes: Sequence[float] | None = None
) -> bool:
    """Compare at every point; ``sizes``: of what was added up, whose last digits are rounded."""
    return all(
        abs(a - b) <= TOLERANCE * max(abs(a), abs(b)) + ROUNDING * size
        for a, b, size in zip(values, rights, sizes or [1.0] * len(values), strict=True)
    )


def constant_factor(
    values: Sequence[float], rights: Sequence[float], size: float = 1.0
) -> float | None:
    """Return the c with values = c · rights everywhere; None where there is none.

    ``size``: of what was added up, or subtracted in differences.
    """
    largest = max(range(len(rights)), key=lambda k: abs(rights[k]))
    if len(rights) < LEAST_POINTS or not rights[largest]:
        return None
    factor = values[largest] / rights[largest]
    factor = round(factor, 3) if abs(factor - round(factor, 3)) < TOLERANCE else factor
    scaled = [factor * right for right in rights]
    return factor if _all_close(values, scaled, [size] * len(rights)) else None


def describe_factor(factor: float) -> str:
    """Say what a wrong constant factor is: the sign, or how much."""
    if factor == -1:
        return "only the sign is wrong"
    return f"a constant factor is wrong: yours is {factor:.6g} times the right one"


def _explain(
    graph: Graph,
    i: int,
    tapes: Sequence[Sequence[float]],
    values: Sequence[float],
    rights: Sequence[Sequence[float]],
) -> str:
    """Return the first part of the right derivative that explains the difference everywhere."""
    right, paths = rights[i], _paths(graph, i, graph.outputs[0])
    whole = constant_factor(values, right)
    if whole == -1:
        return describe_factor(whole)
    found = []
    for path in paths:
        slopes = [[graph.slope(*step, tape) for step in path] for tape in tapes]
        parts = [math.prod(row) for row in slopes]
        rest = [value - (r - part) for value, r, part in zip(values, right, parts, strict=True)]
        found.append((path, slopes, rest, constant_factor(rest, parts)))
    for path, _, _, factor in found:
        if factor == 0:
            lacks = _product(graph, path)
            return f"the path {_write(graph, i, path)} is missing: yours lacks {lacks}"
    if whole is not None:
        return "yours is 0" if whole == 0 else describe_factor(whole)
    for j, other in enumerate(rights):
        if j != i and _all_close(values, other):
            return f"yours is the derivative by {graph.input_names[j]}; are they swapped?"
    for path, slopes, rest, factor in found:
        if factor is not None:
            return f"on the path {_write(graph, i, path)}, {describe_factor(factor)}"
        for k, step in enumerate(path):
            if _all_close(rest, [math.prod(row[:k] + row[k + 1 :]) for row in slopes]):
                lacks = _product(graph, (step,))
                inner = f"on the path {_write(graph, i, path)}, the chain rule's factor"
                return f"{inner} {lacks} is missing"
    return "no sign, no constant factor and no single path explains it"


def _paths(graph: Graph, start: int, node: int) -> Iterator[Path]:
    """Yield every path from an input up to ``node``."""
    if node == start:
        yield ()
    for number, operand in graph.live_operands(node):
        for rest in _paths(graph, start, operand):
            yield (*rest, (node, number))


def _write(graph: Graph, i: int, path: Path) -> str:
    """Write ``x1 → sin(x1)``: without sums and the output, where all paths end, if others are."""
    inner = [node for node, _ in path[:-1] if graph.nodes[node].operation not in "+-"]
    nodes = inner or [node for node, _ in path]
    return " → ".join([graph.input_names[i], *map(graph.write, nodes)])


def _product(graph: Graph, path: Path) -> str:
    """Write the slopes along a path, multiplied, as a formula of the inputs."""
    return render_formula(math.prod(slope_formula(graph, *step) for step in path))
