"""``cnn-train learn diff``: one gradient, found in every way there is."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import JsonOption
from .page import AtOption, ExprOption, PictureOption

if TYPE_CHECKING:
    from rich.table import Table

    from ...figures.difference_errors import ErrorNotes
    from ...lecture.formulas.differentiation import Differentiation, Method
    from ...lecture.formulas.graph import Graph
    from ...lecture.formulas.kinks import Kink
    from ...lecture.formulas.numerical import StepError

CHART_WIDTH = 44
CHART_EXPONENTS = (-16, 0)
"""The chart's ends: errors of 1e-16 and of 1."""

SMALLEST_STEP = 1e-300

MUCH_LOST = 1e-6
"""Automatic differentiation is exact but for rounding: a larger error is all rounding."""


def diff(
    expression: ExprOption = None,
    at: AtOption = None,
    h: Annotated[float, typer.Option("--h", help="Step of the numerical slopes.")] = 1e-5,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Differentiate by hand, by formula, by differences and automatically, side by side."""
    from dataclasses import asdict

    from ...lecture.formulas.differentiation import differentiate_every_way
    from ..console import print_json
    from .page import check_picture, check_step, read_function, require_one

    check_picture(out)
    check_step(h, SMALLEST_STEP)
    texts, graph, point = read_function(require_one(expression, "diff"), at)
    found = differentiate_every_way(texts[0], graph, point, h)
    if as_json:
        print_json(asdict(found))
    else:
        _show(found, graph)
    if out is not None:
        _save(found, graph, out)


def _show(found: "Differentiation", graph: "Graph") -> None:
    from .page import show_function, show_table, show_text

    show_function([found.expression], graph, found.point)
    show_table(_methods_table(found))
    error = "the distance from the formula's choice" if found.kinks else "the largest of a slope"
    absolute = ", absolute where it is 0" if found.is_absolute else ""
    show_text(
        f"\nerror: {error}, relative{absolute}. operations: functions evaluated, plus "
        f"slope × tangent steps. numerical: h = {found.h:g}."
    )
    for name, x in zip(found.input_names, found.point, strict=True):
        if x + found.h == x:
            show_text(f"h is lost beside {name}: in a float, {name} + h is {name} itself.")
    if found.kinks:
        _explain_kinks(found.kinks)
    for method in found.methods:
        if method.problem:
            show_text(f"{method.name}: no answer here. {method.problem}")
    show_text()
    for name, formula in zip(found.input_names, found.derivatives, strict=True):
        show_text(f"symbolic: ∂f/∂{name} = {formula}")
    show_text(f"found by SymPy in {1000 * found.derivation_seconds:.1f} ms")
    if any("Heaviside" in formula for formula in found.derivatives):
        show_text("Heaviside(z) is the step: 0 below 0, 1 above; a second number is its value at 0")
    show_table(_curve_table(found.curve))
    show_text(f"\nf forward, c centred differences, * both. {_reason_for_errors(found, graph)}")


def _explain_kinks(kinks: "Sequence[Kink]") -> None:
    from ...lecture.formulas.kinks import CHOICE, describe_kinks
    from .page import show_heading, show_text

    show_text()
    show_heading(f"{describe_kinks(kinks)}.")
    if any(one.is_straight for one in kinks):
        show_text(
            "Formulas and automatic differentiation choose a slope for each kink "
            f"({CHOICE}) and add up what they chose: where kinks make a straight line, that is "
            "wrong."
        )
    if not all(one.is_straight for one in kinks):
        show_text(
            "Where both sides differ there is no derivative, so no method is wrong: formulas and "
            f"automatic differentiation choose a value ({CHOICE}), forward differences see the "
            "right side, centred ones the mean of both."
        )


def _reason_for_errors(found: "Differentiation", graph: "Graph") -> str:
    """Say why the numerical slopes are what they are, as far as this curve shows it."""
    if found.kinks and (words := _reason_at_kinks(found.curve)):
        return words
    if losers := _lose_digits(found.methods):
        return (
            f"Here {losers} digits: nearly equal numbers are subtracted inside. The error is "
            "measured against 40 digits, a float has 16."
        )
    if any(x + found.curve[0].h == x for x in found.point):
        return "Every h of this table is lost beside an input: in a float, x + h is x itself."
    bends, rounds = found.reasons.bends, found.reasons.rounds
    has_kinks = any(node.operation in ("relu", "max") for node in graph.nodes)
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
    """Say which differences stay away from the formula's choice at every h; none: say nothing."""
    forward = [one.forward for one in curve if one.forward is not None]
    centred = [one.centred for one in curve if one.centred is not None]
    forward_stays, centred_stays = (min(line, default=0) > MUCH_LOST for line in (forward, centred))
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
    """Name those with a large error though they are exact but for rounding: ``x and y lose``."""
    errors = {one.name: one.error for one in methods if one.error is not None}
    large = [name for name, error in errors.items() if error > MUCH_LOST]
    losers = [name for name in large if not name.startswith("numerical")]
    if losers and len(large) == len(errors):
        return "every method loses"
    return f"{' and '.join(losers)} lose{'s' * (len(losers) == 1)}" if losers else ""


def _methods_table(found: "Differentiation") -> "Table":
    from .page import digits, make_table, microseconds, short

    headings = [one.name.replace(", ", "\n").replace(" mode", "\nmode") for one in found.methods]
    table = make_table("", numbers=headings)

    def add(label: str, write: Callable[["Method"], str]) -> None:
        table.add_row(label, *("—" if one.problem else write(one) for one in found.methods))

    add("f", lambda one: digits(one.value or 0.0))
    for i, name in enumerate(found.input_names):
        add(f"∂f/∂{name}", lambda one, i=i: digits((one.gradient or ())[i]))  # type: ignore[misc]
    add("error", lambda one: short(one.error))
    add("operations", lambda one: str(one.operations))
    add("time", lambda one: microseconds(one.seconds))
    return table


def _curve_table(curve: "Sequence[StepError]") -> "Table":
    from .page import make_table, short

    low, high = CHART_EXPONENTS
    scale = f"1e{low}".ljust(CHART_WIDTH // 2 - 2) + f"1e{(low + high) // 2}"
    scale = scale.ljust(CHART_WIDTH - 1) + "1"
    table = make_table(numbers=("h", "forward", "centred"), last=scale)
    for one in curve:
        marks = _marks(one.forward, one.centred)
        table.add_row(f"{one.h:.0e}", short(one.forward), short(one.centred), marks)
    return table


def _marks(forward: float | None, centred: float | None) -> str:
    """Draw one line of the chart: f and c where their errors lie between 1e-16 and 1."""
    line = [" "] * CHART_WIDTH
    for letter, error in (("f", forward), ("c", centred)):
        if error is not None:
            place = _place(error)
            line[place] = letter if line[place] == " " else "*"
    return "".join(line).rstrip()


def _place(error: float) -> int:
    from math import log10

    low, high = CHART_EXPONENTS
    share = (log10(max(error, 10.0**low)) - low) / (high - low)
    return round(min(share, 1.0) * (CHART_WIDTH - 1))


def _save(found: "Differentiation", graph: "Graph", out: Path) -> None:
    from ...figures.difference_errors import draw_difference_errors
    from .page import function_name, save_picture, write_point

    where = write_point(found.input_names, found.point)
    figure = draw_difference_errors(
        [one.h for one in found.curve],
        [one.forward for one in found.curve],
        [one.centred for one in found.curve],
        f"Numerical slopes of {function_name(graph)} = {found.expression} at {where}",
        _picture_notes(found),
    )
    save_picture(figure, out)


def _picture_notes(found: "Differentiation") -> "ErrorNotes":
    from ...figures.difference_errors import ErrorNotes

    absolute = ", absolute where it is 0" if found.is_absolute else ""
    if found.kinks:
        is_line = all(one.is_straight for one in found.kinks)
        return ErrorNotes(
            measure=f"distance from the formula's choice, relative{absolute}",
            middle="kinks that make a line: the choice is wrong"
            if is_line
            else "a kink: the slope is a choice",
        )
    return ErrorNotes(
        measure=f"largest error of a slope, relative{absolute}",
        left="← rounding" if found.reasons.rounds else "",
        right="curvature →" if found.reasons.bends else "",
    )
