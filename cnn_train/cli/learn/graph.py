"""``cnn-train learn graph``: a formula as the steps that compute it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..options import JsonOption
from .page import AtOption, ExprsOption, PictureOption

if TYPE_CHECKING:
    from ...lecture.formulas.graph import Graph
    from ...lecture.formulas.kinks import Kink


def graph(
    expressions: ExprsOption = None,
    at: AtOption = None,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Show the computational graph of a formula, node by node."""
    from ...lecture.formulas.expression import parse_expressions, parse_point
    from ..console import print_json
    from .page import SLIDE_TEXT, check_picture, digits, show_function

    check_picture(out)
    texts = expressions or [SLIDE_TEXT]
    built = parse_expressions(texts)
    point = None if at is None else parse_point(at, built.input_names)
    values = None if point is None else built.evaluate(point)
    if as_json:
        outputs = [built.label(output) for output in built.outputs]
        nodes = _describe_nodes(built, values)
        print_json({"expressions": texts, "outputs": outputs, "nodes": nodes})
    else:
        show_function(texts, built, point)
        _show_nodes(built, values)
    if out is not None:
        notes = {i: (f"= {digits(value)}",) for i, value in enumerate(values or ())}
        save_graph(built, texts, notes, out)


def _describe_nodes(built: "Graph", values: Sequence[float] | None) -> list[dict[str, Any]]:
    """Return every node but constants; operands are names of nodes or constants."""
    return [
        {
            "node": built.label(position),
            "symbol": built.symbol(position),
            "step": built.step(position),
            "operands": [built.label(operand) for operand in built.nodes[position].operands],
        }
        | ({} if values is None else {"value": values[position]})
        for position in built.steps
    ]


def _show_nodes(built: "Graph", values: Sequence[float] | None) -> None:
    from .page import digits, make_table, show_table

    table = make_table("node", "computes", "", numbers=() if values is None else ("value",))
    for position in built.steps:
        is_input = built.nodes[position].operation == "input"
        roles = ["input"] * is_input + _output_names(built, position)
        value = [] if values is None else [digits(values[position])]
        table.add_row(built.label(position), built.step(position), ", ".join(roles), *value)
    show_table(table)


def _output_names(built: "Graph", position: int) -> list[str]:
    """Return ``f``, or of several outputs ``f1``, ``f2``, as far as this node is one."""
    several = len(built.outputs) > 1
    return [f"f{i + 1}" if several else "f" for i, o in enumerate(built.outputs) if o == position]


def show_kinks(found: "Sequence[Sequence[Kink]]") -> None:
    """Say of every output with a kink that its slopes are a choice; ``found``: those of each."""
    from ...lecture.formulas.kinks import CHOICE, describe_kinks
    from .page import show_heading, show_text

    if not any(found):
        return
    show_text()
    for i, kinks in enumerate(found, 1):
        if kinks:
            show_heading(f"{describe_kinks(kinks, f'f{i}' if len(found) > 1 else 'f')}.")
    show_text(
        f"What was computed adds up a choice for each kink: {CHOICE}. "
        "It is no derivative of f there."
    )


def save_graph(
    built: "Graph",
    texts: Sequence[str],
    notes: Mapping[int, tuple[str, ...]],
    out: Path,
    *,
    has_kink: bool = False,
) -> None:
    """Draw the steps, with notes by position; the title says if slopes are those of a kink."""
    from ...figures.computational_graph import Box, draw_computational_graph
    from .page import function_name, save_picture

    drawn = built.steps
    several = len(built.outputs) > 1
    boxes = [
        Box(
            symbol=built.symbol(i),
            formula=" = ".join([built.label(i), built.step(i), *_output_names(built, i) * several]),
            notes=notes.get(i, ()),
            is_input=built.nodes[i].operation == "input",
            is_output=i in built.outputs,
        )
        for i in drawn
    ]
    edges = [(drawn.index(a), drawn.index(b)) for a, b in built.edges]
    title = f"{function_name(built)} = {', '.join(texts)}"
    if has_kink:
        title += " (a kink: slopes are a choice)"
    save_picture(draw_computational_graph(boxes, edges, title), out)
