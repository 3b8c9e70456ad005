"""The page of ``learn slope`` for one input: df/dx = lim h→0 (f(x + h) − f(x)) / h.

A secant goes through the points of the curve at x and x + h; for h → 0 it becomes the tangent.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...page import Block, Page, digits, numbers, paragraph, short
from .page import function_block, function_name, write_point

if TYPE_CHECKING:
    from ...figures.style import Drawing
    from ...lecture.formulas.graph import Graph

STEPS = (1.0, 0.5, 0.1, *(float(f"1e-{k}") for k in range(2, 9)))
DRAWN, DRAWN_AT_KINKS = (1.0, 0.5, 0.1), (1.0, -1.0)
"""The steps of the secants that can be told apart in a picture."""

STRAIGHT = 1e-9
"""Slopes that differ by less than this, relative to max(1, the tangent's), count as equal."""

Secants = dict[float, float | None]
"""Slopes by step; None where the function has no value at x + h."""


def secant_page(text: str, graph: "Graph", x: float, h: float) -> Page:
    """Show the secants for smaller and smaller steps, ``h`` among them; at a kink, of both sides.

    Raises DomainError where the function has no value or no slope at ``x``.
    """
    from ...lecture.formulas.kinks import describe_kinks, kinks_at
    from ...lecture.formulas.reverse_mode import reverse_jacobian

    value, kinks = _value_or_none(graph), kinks_at(graph, [x])
    y, slope = graph.evaluate([x])[graph.outputs[0]], reverse_jacobian(graph, [x])[0][0]
    if kinks and kinks[0].is_straight:  # kinks of parts: the chosen slope is wrong
        slope = kinks[0].left
    tangent = None if any(not kink.is_straight for kink in kinks) else slope
    steps = sorted({*STEPS, h}, reverse=True)
    steps += [-step for step in steps] if tangent is None else []
    secants = {h: None if (there := value(x + h)) is None else (there - y) / h for h in steps}
    name = graph.input_names[0]
    said = f"value {digits(y)}" + (
        "" if tangent is None else f", the tangent's slope df/d{name} = {digits(tangent)}"
    )
    remarks = [f"{describe_kinks(kinks)}."] if kinks else []
    return Page(
        blocks=(
            function_block([text], graph, [x], said),
            _table(secants, tangent),
            paragraph(*_conclusion(secants, x, tangent), *remarks),
        ),
        document={
            "function": text,
            "point": {name: x},
            "value": y,
            "slope": tangent,
            "secants": [{"h": h, "slope": slope} for h, slope in secants.items()],
            "kinks": [vars(kink) for kink in kinks],
        },
        draw=lambda: _draw(text, graph, x, tangent, secants),
    )


def _value_or_none(graph: "Graph") -> Callable[[float], float | None]:
    from ...lecture.formulas.elementary import DomainError

    def value(x: float) -> float | None:
        try:
            return graph.evaluate([x])[graph.outputs[0]]
        except DomainError:
            return None

    return value


def _table(secants: Secants, tangent: float | None) -> Block:
    """Make a row per step; without a tangent, the left side stands in place of the error."""
    rows = []
    for h, slope in secants.items():
        error = None if slope is None or tangent is None else abs(slope - tangent)
        other = short(error) if tangent is not None else _write(secants.get(-h))
        rows += [(f"{h:g}", _write(slope), other)] if h > 0 else []
    last = "slope from x − h" if tangent is None else "error"
    columns = numbers("h", "slope to x + h", last)
    return Block("(f(x + h) − f(x)) / h", columns=columns, rows=tuple(rows))


def _write(slope: float | None) -> str:
    return "—" if slope is None else digits(slope)


def _conclusion(secants: Secants, x: float, tangent: float | None) -> list[str]:
    """Say what the table shows, and no more than that."""
    if tangent is None:
        return ["The two sides have different limits, so there is no tangent here."]
    errors = [abs(slope - tangent) for slope in secants.values() if slope is not None]
    if not errors:
        return ["The function has no value to the right of this point, so there is no secant."]
    if x + max(secants) == x:
        return ["Every h is lost beside x: in a float, x + h is x itself."]
    lines = ["The smaller h, the closer the secant comes to the tangent: its slope is the limit."]
    if max(errors[:3]) <= STRAIGHT * max(1.0, abs(tangent)):
        lines = ["Every secant has the slope of the tangent: the function is a straight line here."]
    if errors[-1] > 2 * min(errors):
        lines.append("At the smallest h rounding is divided by h, and the error grows again.")
    return lines


def _draw(
    text: str, graph: "Graph", x: float, tangent: float | None, secants: Secants
) -> "Drawing":
    from ...figures.secants import draw_secants

    steps: Sequence[float] = DRAWN_AT_KINKS if tangent is None else DRAWN
    lines = [(h, slope) for h in steps if (slope := secants[h]) is not None]
    title = f"{function_name(graph)} = {text} at {write_point(graph.input_names, [x])}"
    return draw_secants(_value_or_none(graph), x, tangent, lines, title, graph.input_names[0])
