"""``cnn-train learn check``: is a derivative, or a layer, that you wrote right?"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import CheckFailedError, UsageError
from ...page import Block, Page, digits, numbers, paragraph, short, texts, times
from ..options import JsonOption
from ..present import present
from .page import AtOption, ExprOption, function_block, read_one_function

if TYPE_CHECKING:
    from ...lecture.own_layer import ShapeCheck


def check(
    mine: Annotated[
        list[str] | None,
        typer.Option(
            "--mine", metavar="FORMULAS", help="Your derivative by each input, with commas."
        ),
    ] = None,
    expression: ExprOption = None,
    at: AtOption = None,
    module: Annotated[
        str | None,
        typer.Option("--module", metavar="FILE.py:NAME", help="A layer of yours; the file is run."),
    ] = None,
    shapes: Annotated[
        list[str] | None,
        typer.Option("--shape", metavar="SIZES", help="Of the layer's input, e.g. 4x10."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a derivative or a layer of your own; exit 1: it is wrong, 2: it cannot be checked."""
    if mine and not module and not shapes:
        _check_formula(mine, expression, at, as_json)
    elif module and not (mine or expression or at):
        _check_layer(module, shapes or (), as_json)
    else:
        raise UsageError("give either --mine (with --expr and --at) or --module (with --shape)")


def _check_formula(
    mine: Sequence[str], expression: Sequence[str] | None, at: str | None, as_json: bool
) -> None:
    from ...lecture.formulas.grading import grade

    text, graph, point = read_one_function(expression, at, "check")
    parts = [part.strip() for one in mine for part in _split(one)]
    if len(parts) != len(point):
        names = ", ".join(graph.input_names)
        raise UsageError(f"--mine: {len(parts)} formulas, but the inputs are {names}: one for each")
    grades = grade(text, parts, point)
    rows = [
        (
            f"∂f/∂{one.name}",
            one.mine,
            "—" if one.value is None else digits(one.value),
            digits(one.right),
            "wrong" if one.problem else "right",
        )
        for one in grades
    ]
    wrong = {f"∂f/∂{one.name}": one.problem for one in grades if one.problem}
    columns = (*texts("", "yours"), *numbers("its value", "right value"), *texts(""))
    blocks = (
        function_block([text], graph, point, f"compared at {grades[0].num_points} points"),
        Block(columns=columns, rows=tuple(rows)),
        paragraph(*(f"{name}: {problem}." for name, problem in wrong.items())),
    )
    document = {"expression": text, "passed": not wrong, "inputs": [asdict(one) for one in grades]}
    present(Page(blocks, document), as_json=as_json)
    if wrong:
        raise CheckFailedError(f"{len(wrong)} of {len(grades)} wrong: {', '.join(wrong)}")


def _split(text: str) -> list[str]:
    """Split at the commas that stand in no parentheses."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _check_layer(place: str, shapes: Sequence[str], as_json: bool) -> None:
    from ...lecture.own_layer import SHAPES, OwnLayer, explain, read_shape

    chosen = [read_shape(shape) for shape in shapes] or SHAPES
    layer = OwnLayer(place)
    checks = [layer.check(shape) for shape in chosen]
    if all(one.refusal for one in checks):
        raise UsageError(f"{checks[-1].refusal}; for an input of another shape: --shape 4x10")
    wrong = [
        explain(tensor, one.shape) for one in checks for tensor in one.tensors if not tensor.passed
    ]
    document = {
        "layer": place,
        "passed": not wrong,
        "problems": wrong,
        "shapes": [
            {
                "shape": one.shape,
                "refusal": one.refusal or None,
                "tensors": [tensor.to_json() for tensor in one.tensors],
            }
            for one in checks
        ],
    }
    heading = f"{place}: backward against differences of forward, float64"
    blocks = (_layer_block(heading, checks), paragraph(*(f"{problem}." for problem in wrong)))
    present(Page(blocks, document), as_json=as_json)
    if wrong:
        raise CheckFailedError(f"{layer.name}: its backward pass is wrong; {wrong[0]}")


def _layer_block(heading: str, checks: "Sequence[ShapeCheck]") -> Block:
    rows = []
    for one in checks:
        if one.refusal:
            rows.append((times(one.shape), "", "", "", "not checked: " + one.refusal))
        for tensor in one.tensors:
            error = short(tensor.worst.error if tensor.worst else None)
            verdict = "wrong" if not tensor.passed else "right" if tensor.judged else "not judged"
            slopes = f"{len(tensor.judged)} of {len(tensor.slopes)}"
            rows.append((times(one.shape), tensor.name, slopes, error, verdict))
    columns = (*texts("shape", "slopes by"), *numbers("compared", "largest error"), *texts(""))
    return Block(heading, columns=columns, rows=tuple(rows))
