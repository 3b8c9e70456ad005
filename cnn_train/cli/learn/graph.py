"""``cnn-train learn graph``: a formula as the steps that compute it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...page import Block, Page, digits, numbers, texts
from ..options import JsonOption
from ..present import PictureOption, check_picture, present
from .page import SLIDE_TEXT, AtOption, ExprsOption, draw_graph, function_block, output_names

if TYPE_CHECKING:
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
        roles = ["input"] * is_input + output_names(built, position)
        value = [] if values is None else [digits(values[position])]
        rows.append((built.label(position), built.step(position), ", ".join(roles), *value))
    columns = texts("node", "computes", "") + (() if values is None else numbers("value"))
    return Block(columns=columns, rows=tuple(rows))
