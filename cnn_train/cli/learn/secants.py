"""The page of ``learn slope`` for one input: the secants of a curve become its tangent."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from ...page import Block, Page, digits, numbers, paragraph, short
from .page import function_block, function_name, write_point

if TYPE_CHECKING:
    from ...figures.style import Drawing
    from ...lecture.formulas.graph import Graph
    from ...lecture.formulas.kinks import Kink
    from ...lecture.formulas.secants import Secant

DRAWN, DRAWN_AT_KINKS = (1.0, 0.5, 0.1), (1.0, -1.0)
"""The steps of the secants that can be told apart in a picture."""

STRAIGHT = 1e-9
"""Slopes that differ by less than this, relative to max(1, the tangent's), count as equal."""


def secant_page(text: str, graph: "Graph", x: float, h: float) -> Page:
    """Show the secants for smaller and smaller steps, ``h`` among them; at a kink, of both sides.

    Raises DomainError where the function has no value or no slope at ``x``.
    """
    from ...lecture.formulas.kinks import describe_kinks, kinks_at
    from ...lecture.formulas.reverse_mode import reverse_jacobian
    from ...lecture.formulas.secants import STEPS, secants

    (output,) = graph.outputs
    f = lambda at: graph.evaluate(at)[output]  # noqa: E731
    remark = ""
    ((tangent,),), value, kinks = reverse_jacobian(graph, [x]), f([x]), kinks_at(graph, [x])
    if all(kink.is_straight for kink in kinks):  # kinks of parts: the chosen slope is wrong
        tangent = kinks[0].left if kinks else tangent
        kinks, remark = (), describe_kinks(kinks)
    steps = sorted({*STEPS, h}, reverse=True)
    right = secants(f, x, tangent, steps)
    left = secants(f, x, tangent, [-step for step in steps]) if kinks else []
    name = graph.input_names[0]
    slope = "" if kinks else f", the tangent's slope df/d{name} = {digits(tangent)}"
    return Page(
        blocks=(
            function_block([text], graph, [x], f"value {digits(value)}{slope}"),
            _table(right, left),
            paragraph(*_conclusion(right, x, tangent, kinks), *([remark + "."] if remark else [])),
        ),
        document={
            "function": text,
            "point": {name: x},
            "value": value,
            "slope": None if kinks else tangent,
            "secants": [asdict(secant) for secant in (*right, *left)],
            "kinks": [asdict(kink) for kink in kinks],
        },
        draw=lambda: _draw(text, graph, x, None if kinks else tangent, (*right, *left)),
    )


def _table(right: "Sequence[Secant]", left: "Sequence[Secant]") -> Block:
    """Make a row per step; without a tangent, the left side stands in place of the error."""

    def slope(secant: "Secant") -> str:
        return "—" if secant.slope is None else digits(secant.slope)

    if left:
        columns = numbers("h", "slope from x − h", "slope to x + h")
        sides = zip(left, right, strict=True)
        rows = [(f"{there.h:g}", slope(here), slope(there)) for here, there in sides]
    else:
        columns = numbers("h", "slope of the secant", "error")
        rows = [(f"{one.h:g}", slope(one), short(one.error)) for one in right]
    return Block("(f(x + h) − f(x)) / h", columns=columns, rows=tuple(rows))


def _conclusion(
    right: "Sequence[Secant]", x: float, tangent: float, kinks: "Sequence[Kink]"
) -> tuple[str, ...]:
    """Say what the table shows, and no more than that."""
    from ...lecture.formulas.kinks import describe_kinks

    if kinks:
        return (f"{describe_kinks(kinks)}. So there is no tangent here.",)
    errors = [secant.error for secant in right if secant.error is not None]
    if not errors:
        return ("The function has no value to the right of this point, so there is no secant.",)
    if x + right[0].h == x:
        return ("Every h is lost beside x: in a float, x + h is x itself.",)
    lines = ["The smaller h, the closer the secant comes to the tangent: its slope is the limit."]
    if max(errors[:3]) <= STRAIGHT * max(1.0, abs(tangent)):
        lines = ["Every secant has the slope of the tangent: the function is a straight line here."]
    if errors[-1] > 2 * min(errors):
        lines.append("At the smallest h rounding is divided by h, and the error grows again.")
    return tuple(lines)


def _draw(
    text: str, graph: "Graph", x: float, tangent: float | None, drawn: "Sequence[Secant]"
) -> "Drawing":
    from ...figures.secants import draw_secants
    from ...lecture.formulas.elementary import DomainError

    def value(at: float) -> float | None:
        try:
            return graph.evaluate([at])[graph.outputs[0]]
        except DomainError:
            return None

    chosen = DRAWN_AT_KINKS if tangent is None else DRAWN
    lines = [(one.h, one.slope) for one in drawn if one.h in chosen and one.slope is not None]
    title = f"{function_name(graph)} = {text} at {write_point(graph.input_names, [x])}"
    return draw_secants(value, x, tangent, lines, title, graph.input_names[0])
