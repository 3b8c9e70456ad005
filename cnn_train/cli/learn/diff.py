"""``cnn-train learn diff``: one gradient, found in every way there is."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from math import log10
from typing import TYPE_CHECKING

from ...page import Block, Column, Page, digits, numbers, paragraph, short, texts
from ..options import JsonOption
from ..present import PictureOption, check_picture, present
from .page import (
    AtOption,
    ExprOption,
    StepOption,
    check_step,
    function_block,
    function_name,
    read_one_function,
    write_point,
)

if TYPE_CHECKING:
    from ...figures.style import Drawing
    from ...lecture.formulas.differentiation import Differentiation, Method
    from ...lecture.formulas.graph import Graph
    from ...lecture.formulas.kinks import Kink
    from ...lecture.formulas.numerical import StepError

SCALE = f"{'1e-16':<20}{'1e-8':<23}1"
"""The heading of the chart: where the errors are that it marks."""

CHART = Column(SCALE, is_number=False, is_chart=True)

SMALLEST_STEP = 1e-300
MUCH_LOST = 1e-6
"""A larger error of automatic differentiation, which is exact but for rounding, is lost digits."""


def diff(
    expression: ExprOption = None,
    at: AtOption = None,
    h: StepOption = 1e-5,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Differentiate by hand, by formula, by differences and automatically, side by side."""
    from ...lecture.formulas.differentiation import differentiate_every_way

    check_picture(out)
    check_step(h, SMALLEST_STEP)
    text, graph, point = read_one_function(expression, at, "diff")
    result = differentiate_every_way(text, graph, point, h)
    page = Page(
        blocks=(
            function_block([text], graph, point),
            _methods_block(result),
            paragraph(*_notes(result)),
            *_kinks_blocks(result.kinks, graph),
            Block(lines=_symbolic_lines(result) if result.derivatives else ()),
            _curve_block(result.curve),
            paragraph(f"f forward, c centred differences, * both. {_reason(result, graph)}"),
        ),
        document=asdict(result),
        draw=lambda: _draw(result, graph),
    )
    present(page, as_json=as_json, out=out)


def _methods_block(result: "Differentiation") -> Block:
    names = [
        method.name.replace(", ", "\n").replace(" mode", "\nmode") for method in result.methods
    ]

    def row(label: str, write: Callable[["Method"], str]) -> tuple[str, ...]:
        return (label, *("—" if method.problem else write(method) for method in result.methods))

    slopes = [
        row(f"∂f/∂{name}", lambda method, i=i: digits((method.gradient or ())[i]))  # type: ignore[misc]
        for i, name in enumerate(result.input_names)
    ]
    return Block(
        columns=(*texts(""), *numbers(*names)),
        rows=(
            row("f", lambda method: digits(method.value or 0.0)),
            *slopes,
            row("error", lambda method: short(method.error)),
            row("operations", lambda method: str(method.operations)),
            row("time", lambda method: f"{1e6 * (method.seconds or 0.0):.1f} µs"),
        ),
    )


def _notes(result: "Differentiation") -> tuple[str, ...]:
    """Say what the table's rows are, and what went wrong with a method."""
    error = "the distance from the formula's choice" if result.kinks else "the largest of a slope"
    absolute = ", absolute where it is 0" if result.is_absolute else ""
    return (
        f"error: {error}, relative{absolute}. operations: functions evaluated, plus "
        f"slope × tangent steps. numerical: h = {result.h:g}.",
        *(
            f"h is lost beside {name}: in a float, {name} + h is {name} itself."
            for name, x in zip(result.input_names, result.point, strict=True)
            if x + result.h == x
        ),
        *(
            f"{method.name}: no answer here. {method.problem}"
            for method in result.methods
            if method.problem
        ),
    )


def _kinks_blocks(kinks: "Sequence[Kink]", graph: "Graph") -> tuple[Block, ...]:
    from ...lecture.formulas.kinks import choice, describe_kinks

    if not kinks:
        return ()
    lines = []
    if any(kink.is_straight for kink in kinks):
        lines.append(
            "Formulas and automatic differentiation choose a slope for each kink "
            f"({choice(graph)}) and add up what they chose: where kinks make a straight line, "
            "that is wrong."
        )
    if not all(kink.is_straight for kink in kinks):
        lines.append(
            "Where both sides differ there is no derivative, so no method is wrong: formulas and "
            f"automatic differentiation choose a value ({choice(graph)}), forward differences see "
            "the right side, centred ones the mean of both."
        )
    return (Block(f"{describe_kinks(kinks)}.", lines=tuple(lines)),)


def _symbolic_lines(result: "Differentiation") -> tuple[str, ...]:
    pairs = zip(result.input_names, result.derivatives, strict=True)
    lines = [f"symbolic: ∂f/∂{name} = {formula}" for name, formula in pairs]
    lines.append(f"found by SymPy in {1000 * result.derivation_seconds:.1f} ms")
    if any("Heaviside" in formula for formula in result.derivatives):
        lines.append("Heaviside(z) is 0 below 0 and 1 above; a second number is its value at 0")
    return tuple(lines)


def _reason(result: "Differentiation", graph: "Graph") -> str:
    """Say why the numerical slopes are what they are, as far as this curve shows it."""
    from ...lecture.formulas.kinks import BENT
    from ...lecture.formulas.numerical import reasons_for_errors

    if result.kinks and (words := _reason_at_kinks(result.curve)):
        return words
    if losers := _lose_digits(result.methods):
        return (
            f"Here {losers} digits: nearly equal numbers are subtracted inside. The error is "
            "measured against 40 digits, a float has 16."
        )
    if any(x + result.curve[0].h == x for x in result.point):
        return "Every h of this table is lost beside an input: in a float, x + h is x itself."
    bends, rounds = reasons_for_errors(result.curve)
    has_kinks = any(node.operation in BENT for node in graph.nodes)
    kink = " or has a kink on the way" if has_kinks else ""
    large = f"A large h is wrong because the function bends{kink}"
    if bends and rounds:
        return f"{large}, a small one because rounding is divided by h."
    if bends:
        return f"{large}; a small one is right, for nothing is rounded here."
    if rounds:
        return (
            "A large h is right, for the function does not bend along any input; a small one is "
            "wrong because rounding is divided by h."
        )
    return "Every h is right: the function does not bend along any input, and nothing is rounded."


def _reason_at_kinks(curve: "Sequence[StepError]") -> str:
    """Say which differences stay away from the formula's choice at every h, if any do."""

    def stays(errors: Iterable[float | None]) -> bool:
        return min((e for e in errors if e is not None), default=0) > MUCH_LOST

    forward_stays = stays(errors.forward for errors in curve)
    centred_stays = stays(errors.centred for errors in curve)
    if forward_stays and centred_stays:
        return (
            "No h, however small, brings the differences and the formula's choice together: this "
            "is no rounding, but what kinks do."
        )
    if forward_stays:
        return (
            "Forward differences meet the formula's choice at no h; centred ones do, for here the "
            "choice is the mean of both sides."
        )
    if centred_stays:
        return (
            "Centred differences meet the formula's choice at no h; forward ones do, for here the "
            "choice is the slope of the right side."
        )
    return ""


def _lose_digits(methods: "Sequence[Method]") -> str:
    """Name the methods that lose digits though they make no error but rounding: ``x loses``."""
    errors = {method.name: method.error for method in methods if method.error is not None}
    large = [name for name, error in errors.items() if error > MUCH_LOST]
    losers = [name for name in large if not name.startswith("numerical")]
    if losers and len(large) == len(errors):
        return "every method loses"
    return f"{' and '.join(losers)} lose{'s' * (len(losers) == 1)}" if losers else ""


def _curve_block(curve: "Sequence[StepError]") -> Block:
    """List the errors by step, each with its place in a chart of letters."""
    return Block(
        columns=(*numbers("h", "forward", "centred"), CHART),
        rows=tuple(
            (f"{errors.h:.0e}", short(errors.forward), short(errors.centred), _marks(errors))
            for errors in curve
        ),
    )


def _marks(errors: "StepError") -> str:
    """Draw one line of the chart: f and c where their errors lie between 1e-16 and 1."""
    line = [" "] * len(SCALE)
    for letter, error in (("f", errors.forward), ("c", errors.centred)):
        if error is not None:
            exponent = log10(min(max(error, 1e-16), 1.0))
            place = round((1 + exponent / 16) * (len(line) - 1))
            line[place] = letter if line[place] == " " else "*"
    return "".join(line)


def _draw(result: "Differentiation", graph: "Graph") -> "Drawing":
    from ...figures.difference_errors import draw_difference_errors

    where = write_point(result.input_names, result.point)
    return draw_difference_errors(
        [errors.h for errors in result.curve],
        [errors.forward for errors in result.curve],
        [errors.centred for errors in result.curve],
        f"Numerical slopes of {function_name(graph)} = {result.expression} at {where}",
        **_picture_words(result),
    )


def _picture_words(result: "Differentiation") -> dict[str, str]:
    """Say what the errors measure, and what stands above the panel."""
    from ...lecture.formulas.numerical import reasons_for_errors

    absolute = ", absolute where it is 0" if result.is_absolute else ""
    if result.kinks:
        bent, straight = "a kink: the slope is a choice", "kinks make a line: the choice is wrong"
        return {
            "measure": f"distance from the formula's choice, relative{absolute}",
            "middle": straight if all(kink.is_straight for kink in result.kinks) else bent,
        }
    bends, rounds = reasons_for_errors(result.curve)
    return {
        "measure": f"largest error of a slope, relative{absolute}",
        "left": "← rounding" if rounds else "",
        "right": "curvature →" if bends else "",
    }
