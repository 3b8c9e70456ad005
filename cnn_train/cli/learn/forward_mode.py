"""``cnn-train learn forward-mode``: the trace of dual numbers, a pass per input."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..options import JsonOption
from .page import AtOption, ExprsOption, PictureOption

if TYPE_CHECKING:
    from ...lecture.formulas.forward_mode import ForwardPass
    from ...lecture.formulas.graph import Graph


def forward_mode(
    expressions: ExprsOption = None,
    at: AtOption = None,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Trace forward-mode automatic differentiation, step by step."""
    from dataclasses import asdict

    from ...lecture.formulas.forward_mode import forward_jacobian, forward_passes, trace_forward
    from ...lecture.formulas.kinks import kinks_of_outputs
    from ...lecture.formulas.mode_costs import compare_modes
    from ..console import print_json
    from .graph import show_kinks
    from .page import check_picture, costs_table, point_json, read_function, show_table, show_text

    check_picture(out)
    texts, graph, point = read_function(expressions, at)
    passes = forward_passes(graph, point)
    costs, kinks = compare_modes(graph, point), kinks_of_outputs(graph, point)
    if as_json:
        traces = [
            {
                "direction": list(one.direction),
                "operations": one.operations,
                "steps": [asdict(step) for step in trace_forward(graph, one)],
            }
            for one in passes
        ]
        where = {"expressions": texts, "point": point_json(graph, point)}
        jacobian = forward_jacobian(graph, point)
        found = {"passes": traces, "jacobian": jacobian}
        bent = {"kinks": [[asdict(one) for one in output] for output in kinks]}
        print_json(where | found | bent | {"costs": [asdict(one) for one in costs]})
    else:
        _show(texts, graph, point, passes)
        show_kinks(kinks)
        show_table(costs_table(costs))
        show_text("\noperations: one per value computed, one per slope × tangent added up.")
    if out is not None:
        _save(graph, texts, passes, out, has_kink=any(kinks))


def _show(
    texts: "Sequence[str]",
    graph: "Graph",
    point: "Sequence[float]",
    passes: "Sequence[ForwardPass]",
) -> None:
    from .page import show_function, show_text

    show_function(texts, graph, point)
    show_text("Each step carries its value v and its slope v\u0307 along one input.")
    for i in range(len(passes)):
        _show_pass(graph, passes, i)


def _show_pass(graph: "Graph", passes: "Sequence[ForwardPass]", i: int) -> None:
    from ...lecture.formulas.forward_mode import dotted, trace_forward
    from .page import digits, make_table, show_heading, show_table, show_text

    name, one = graph.input_names[i], passes[i]
    show_text()
    show_heading(f"Pass {i + 1} of {len(passes)}: along {name}")
    table = make_table("node", "computes", numbers=("value",), last="tangent by the chain rule")
    table.add_column("tangent", justify="right", no_wrap=True)
    for step in trace_forward(graph, one):
        rule = f"{dotted(step.node)} = {step.rule}"
        table.add_row(step.node, step.formula, digits(step.value), rule, digits(step.tangent))
    show_table(table)
    for number, output in enumerate(graph.outputs, 1):
        f = f"f{number}" if len(graph.outputs) > 1 else "f"
        show_heading(f"→ ∂{f}/∂{name} = {digits(one.tangents[output])}")


def _save(
    graph: "Graph",
    texts: "Sequence[str]",
    passes: "Sequence[ForwardPass]",
    out: Path,
    *,
    has_kink: bool,
) -> None:
    """Draw the graph with every node's value and its slopes, one along each input."""
    from ...lecture.formulas.forward_mode import dotted
    from .graph import save_graph
    from .page import digits

    notes = {}
    for i, value in enumerate(passes[0].values):
        name = dotted(graph.label(i))
        slopes = (
            f"along {along}: {name} = {one.tangents[i]:.4g}"
            for along, one in zip(graph.input_names, passes, strict=True)
        )
        notes[i] = (f"= {digits(value)}", *slopes)
    save_graph(graph, texts, notes, out, has_kink=has_kink)
