"""``cnn-train learn graph``: a formula as the steps that compute it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...page import Block, Page, digits, numbers, texts
from ..options import JsonOption
from ..present import PictureOption, check_picture, present
from .page import SLIDE_TEXT, AtOption, ExprsOption, function_block, function_name, output_name

if TYPE_CHECKING:
    from ...figures.style import Drawing
    from ...lecture.formulas.graph import Graph


def graph(
    expressions: ExprsOption = None,
    at: AtOption = None,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Show the computational graph of a formula, node by node."""
    from ...lecture.formulas.expression import parse_expressions, parse_point

    check_picture(out)
    texts = expressions or [SLIDE_TEXT]
    built = parse_expressions(texts)
    point = None if at is None else parse_point(at, built.input_names)
    values = None if point is None else built.evaluate(point)
    notes = {i: (f"= {digits(value)}",) for i, value in enumerate(values or ())}
    page = Page(
        blocks=(function_block(texts, built, point), _nodes_block(built, values)),
        document={
            "expressions": texts,
            "outputs": [built.label(output) for output in built.outputs],
            "nodes": _describe_nodes(built, values),
        },
        draw=lambda: draw_graph(built, texts, notes),
    )
    present(page, as_json=as_json, out=out)


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


def _nodes_block(built: "Graph", values: Sequence[float] | None) -> Block:
    rows = []
    for position in built.steps:
        is_input = built.nodes[position].operation == "input"
        roles = ["input"] * is_input + _output_names(built, position)
        value = [] if values is None else [digits(values[position])]
        rows.append((built.label(position), built.step(position), ", ".join(roles), *value))
    columns = texts("node", "computes", "") + (() if values is None else numbers("value"))
    return Block(columns=columns, rows=tuple(rows))


def _output_names(built: "Graph", position: int) -> list[str]:
    """Return the names of the outputs that this node is."""
    return [output_name(built, i) for i, o in enumerate(built.outputs) if o == position]


def draw_graph(
    built: "Graph",
    texts: Sequence[str],
    notes: Mapping[int, tuple[str, ...]],
    *,
    has_kink: bool = False,
) -> "Drawing":
    """Draw the steps, with notes by position; the title says if slopes are those of a kink."""
    from ...figures.computational_graph import Box, draw_computational_graph

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
    return draw_computational_graph(boxes, edges, title)
