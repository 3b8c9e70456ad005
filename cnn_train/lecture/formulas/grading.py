"""Compare a derivative that somebody found by hand with the right one, and say what is wrong.

The right one is a sum over all paths from an input to the output; each is a product of slopes:

    ∂f/∂x = Σ_paths Π_steps ∂v/∂operand

Most mistakes change one part: the sign or a factor of the sum or of one path; or a path is
forgotten, or in its product one slope (the chain rule). What explains the difference at several
points at once is the mistake.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random

import sympy

from ...errors import UsageError
from .elementary import DomainError
from .expression import parse_expressions
from .graph import Graph
from .kinks import describe_kinks, kinks_at
from .reverse_mode import paths_into, pull_back
from .symbolic import render_formula, slope_formula

RADII, NUM_ROUNDS, LEAST_POINTS = (1.0, 0.1, 0.01, 0.001), 3, 3
AROUND_ZERO = 3.0
"""Some points lie there, wherever the given one is: 1 is the slope of relu at 2, not at -1."""

TOLERANCE, ROUNDING = 1e-6, 1e-12

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
    """Judge a derivative by each input, at the point and some others.

    Raises DomainError where the function has no slope at the point, UsageError at a kink.
    """
    graph = parse_expressions([expression])
    if kinks := kinks_at(graph, point):
        raise UsageError(f"{describe_kinks(kinks)}; there is no derivative, choose another --at")
    tapes = [graph.evaluate(point), *_other_tapes(graph, point)]
    if len(tapes) < LEAST_POINTS:
        raise UsageError("f has a slope at no other point nearby; choose another --at")
    runs = [pull_back(graph, tape, graph.outputs[0]) for tape in tapes]
    rights = [[run.gradient[i] for run in runs] for i in range(len(point))]
    given = [_values(expression, text, graph, tapes) for text in mine]
    grades = []
    for i, (name, text) in enumerate(zip(graph.input_names, mine, strict=True)):
        values, problem = given[i]
        floor = min(1.0, max(map(abs, rights[i])))  # where a sigmoid is flat, 1 - v is rounded
        sizes = [floor + sum(map(abs, paths_into(run, i))) for run in runs]
        if not problem and not _all_close(values, rights[i], sizes):
            problem = _explain(graph, i, tapes, [values for values, _ in given], rights)
        value = values[0] if values else None
        grades.append(Grade(name, text, value, rights[i][0], len(tapes), problem))
    return grades


def _other_tapes(graph: Graph, point: Sequence[float]) -> Iterator[list[float]]:
    """Yield the tapes of points near ``point`` and near 0 where there is a slope."""
    draw = Random(0).uniform
    for radius, _ in product((AROUND_ZERO, *RADII), range(NUM_ROUNDS)):
        centre = [0.0] * len(point) if radius == AROUND_ZERO else point
        moved = [x + draw(-radius, radius) for x in centre]
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


def _all_close(values: Sequence[float], rights: Sequence[float], sizes: Sequence[float]) -> bool:
    """Compare at every point; ``sizes``: of what was added up, whose last digits are rounded."""
    return all(
        abs(a - b) <= TOLERANCE * max(abs(a), abs(b)) + ROUNDING * size
        for a, b, size in zip(values, rights, sizes, strict=True)
    )


def _nearly(values: Sequence[float], rights: Sequence[float]) -> bool:
    """Compare at every point, where all are rounded as the largest one is."""
    return _all_close(values, rights, [max(map(abs, rights))] * len(rights))


def constant_factor(
    values: Sequence[float], rights: Sequence[float], share: float = 1.0
) -> float | None:
    """Return the c with values = c · rights everywhere; None where there is none.

    ``share``: how far differences are rounded, relative to the largest one.
    """
    largest = max(range(len(rights)), key=lambda k: abs(rights[k]))
    if len(rights) < LEAST_POINTS or not rights[largest]:
        return None
    factor = values[largest] / rights[largest]
    factor = round(factor, 3) if abs(factor - round(factor, 3)) < TOLERANCE else factor
    sizes = [share * abs(rights[largest])] * len(rights)
    return factor if _all_close(values, [factor * right for right in rights], sizes) else None


def describe_factor(factor: float) -> str:
    """Say what a wrong constant factor is: the sign, or how much."""
    if factor == -1:
        return "only the sign is wrong"
    return f"a constant factor is wrong: yours is {factor:.6g} times the right one"


def _explain(
    graph: Graph,
    i: int,
    tapes: Sequence[Sequence[float]],
    given: Sequence[Sequence[float]],
    rights: Sequence[Sequence[float]],
) -> str:
    """Return the first part of the right derivative that explains the difference everywhere."""
    values, right = given[i], rights[i]
    whole = constant_factor(values, right)
    if whole == -1:
        return describe_factor(whole)
    parts = _parts(graph, i, tapes, values, right)
    for part in parts:
        if part.factor == 0:
            return f"the path {part.words} is missing: yours lacks {_product(graph, part.path)}"
    if whole == 0:
        return "yours is 0"
    others = [j for j in range(len(rights)) if j != i and _nearly(values, rights[j])]
    for j in others:
        if given[j] and _nearly(given[j], right):
            return f"yours is the derivative by {graph.input_names[j]}; are they swapped?"
    for part in parts:
        for k, step in enumerate(part.path):
            if _nearly(part.rest, [math.prod(row[:k] + row[k + 1 :]) for row in part.slopes]):
                lacks = _product(graph, (step,))
                return f"on the path {part.words}, the chain rule's factor {lacks} is missing"
    if whole is not None:
        return describe_factor(whole)
    for part in parts:
        if part.factor is not None:
            return f"on the path {part.words}, {describe_factor(part.factor)}"
    if others:
        return f"yours is the derivative by {graph.input_names[others[0]]}"
    return "no sign, no constant factor and no single path explains it"


@dataclass(frozen=True)
class _Part:
    """One path: its slopes at every point, and what stands in their place in a wrong derivative.

    factor: how many times the right product that is, where it is so everywhere.
    """

    path: Path
    words: str
    slopes: list[list[float]]
    rest: list[float]
    factor: float | None


def _parts(
    graph: Graph,
    i: int,
    tapes: Sequence[Sequence[float]],
    values: Sequence[float],
    right: Sequence[float],
) -> list[_Part]:
    paths, parts = list(_paths(graph, i, graph.outputs[0])), []
    for path, words in zip(paths, _write(graph, i, paths), strict=True):
        slopes = [[graph.slope(*step, tape) for step in path] for tape in tapes]
        products = [math.prod(row) for row in slopes]
        rest = [value - (r - one) for value, r, one in zip(values, right, products, strict=True)]
        parts.append(_Part(path, words, slopes, rest, constant_factor(rest, products)))
    return parts


def _paths(graph: Graph, start: int, node: int) -> Iterator[Path]:
    """Yield every path from an input up to ``node``."""
    if node == start:
        yield ()
    for number, operand in graph.live_operands(node):
        for rest in _paths(graph, start, operand):
            yield (*rest, (node, number))


def _write(graph: Graph, i: int, paths: Sequence[Path]) -> list[str]:
    """Write paths as ``x1 → sin(x1)``, so that no two look alike if their nodes differ.

    Sums are left out where that is enough, and so is the output, where all paths end.
    """

    whole = [tuple(node for node, _ in path) for path in paths]
    short = [
        tuple(node for node in nodes[:-1] if graph.nodes[node].operation not in "+-") or nodes
        for nodes in whole
    ]
    pairs = set(zip(short, whole, strict=True))
    alike = Counter(brief for brief, _ in pairs)
    chosen = [s if alike[s] == 1 else w for s, w in zip(short, whole, strict=True)]
    return [" → ".join([graph.input_names[i], *map(graph.write, nodes)]) for nodes in chosen]


def _product(graph: Graph, path: Path) -> str:
    """Write the slopes along a path, multiplied, as a formula of the inputs."""
    formula = math.prod(slope_formula(graph, *step) for step in path)
    step = sympy.Function("step")  # as --mine writes it
    return render_formula(sympy.sympify(formula).replace(sympy.Heaviside, lambda z, _: step(z)))
