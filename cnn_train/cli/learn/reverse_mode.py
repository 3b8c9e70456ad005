"""``cnn-train learn reverse-mode``: the tape, and the trace of adjoints, a pass per output."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..options import JsonOption
from .page import AtOption, ExprsOption, PictureOption

if TYPE_CHECKING:
    from ...lecture.formulas.graph import Graph
    from ...lecture.formulas.reverse_mode import ReversePass


def reverse_mode(
    expressions: ExprsOption = None,
    at: AtOption = None,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Trace reverse-mode automatic differentiation (backpropagation), step by step."""
    from dataclasses import asdict

    from ...lecture.formulas.kinks import kinks_of_outputs
    from ...lecture.formulas.mode_costs import compare_modes
    from ...lecture.formulas.reverse_mode import reverse_passes
    from ..console import print_json
    from .graph import show_kinks
    from .page import check_picture, costs_table, point_json, read_function, show_table, show_text

    check_picture(out)
    texts, graph, point = read_function(expressions, at)
    values, passes = reverse_passes(graph, point)
    costs, kinks = compare_modes(graph, point), kinks_of_outputs(graph, point)
    if as_json:
        where = {"expressions": texts, "point": point_json(graph, point)}
        traces = [_describe_pass(graph, one) for one in passes]
        jacobian = [list(one.gradient) for one in passes]
        found = {"tape": _describe_tape(graph, values), "passes": traces, "jacobian": jacobian}
        bent = {"kinks": [[asdict(one) for one in output] for output in kinks]}
        print_json(where | found | bent | {"costs": [asdict(one) for one in costs]})
    else:
        _show_tape(texts, graph, point, values)
        for i in range(len(passes)):
            _show_pass(graph, passes, i)
        show_kinks(kinks)
        show_table(costs_table(costs))
        show_text("\noperations: one per value computed, one per slope × adjoint added up.")
    if out is not None:
        _save(graph, texts, values, passes, out, has_kink=any(kinks))


def _describe_tape(graph: "Graph", values: Sequence[float]) -> list[dict[str, Any]]:
    return [
        {"node": graph.label(i), "step": graph.step(i), "value": values[i]} for i in graph.steps
    ]


def _describe_pass(graph: "Graph", one: "ReversePass") -> dict[str, Any]:
    from ...lecture.formulas.reverse_mode import chain_rule

    steps = [
        {
            "node": graph.label(step.node),
            "operand": graph.label(step.operand),
            "rule": chain_rule(graph, step),
            "slope": step.slope,
            "contribution": step.contribution,
            "collected": step.collected,
        }
        for step in one.steps
    ]
    adjoints = {graph.label(position): adjoint for position, adjoint in one.adjoints.items()}
    return {
        "output": graph.label(one.output),
        "operations": one.operations,
        "steps": steps,
        "adjoints": adjoints,
    }


def _show_tape(
    texts: Sequence[str], graph: "Graph", point: Sequence[float], values: Sequence[float]
) -> None:
    from .page import digits, make_table, show_function, show_heading, show_table, show_text

    show_function(texts, graph, point)
    show_text()
    show_heading("Forward pass: the tape keeps every value")
    table = make_table("node", "computes", numbers=("value",))
    for row in _describe_tape(graph, values):
        table.add_row(row["node"], row["step"], digits(row["value"]))
    show_table(table)


def _show_pass(graph: "Graph", passes: "Sequence[ReversePass]", i: int) -> None:
    from ...lecture.formulas.reverse_mode import barred, chain_rule
    from .page import digits, make_table, show_heading, show_table, show_text

    one = passes[i]
    end = barred(graph.label(one.output))
    show_text()
    show_heading(f"Backward pass {i + 1} of {len(passes)}: begin with {end} = 1")
    table = make_table("from", "to", "hands on", numbers=("slope", "contribution", "collected"))
    for step in one.steps:
        operand = graph.label(step.operand)
        rule = f"{barred(operand)} += {chain_rule(graph, step)}"
        numbers = (step.slope, step.contribution, step.collected)
        table.add_row(graph.label(step.node), operand, rule, *map(digits, numbers))
    show_table(table)
    _show_gradient(graph, one, f"f{i + 1}" if len(passes) > 1 else "f")


def _show_gradient(graph: "Graph", one: "ReversePass", f: str) -> None:
    """Print each slope, and of which paths it is the sum."""
    from ...lecture.formulas.reverse_mode import paths_into
    from .page import digits, show_heading

    for position, (name, slope) in enumerate(zip(graph.input_names, one.gradient, strict=True)):
        paths = paths_into(one, position)
        total = " + ".join(map(digits, paths)).replace("+ -", "- ")
        several = f" = {total}   ({len(paths)} paths)" if len(paths) > 1 else ""
        show_heading(f"→ ∂{f}/∂{name} = {digits(slope)}{several}")


def _save(
    graph: "Graph",
    texts: Sequence[str],
    values: Sequence[float],
    passes: "Sequence[ReversePass]",
    out: Any,
    *,
    has_kink: bool,
) -> None:
    """Draw the graph with every node's value and its adjoints, one from each output."""
    from .graph import save_graph
    from .page import digits

    notes = {
        i: (f"= {digits(value)}", *_write_adjoints(graph, passes, i))
        for i, value in enumerate(values)
    }
    save_graph(graph, texts, notes, out, has_kink=has_kink)


def _write_adjoints(graph: "Graph", passes: "Sequence[ReversePass]", i: int) -> list[str]:
    """Write a node's adjoint, or of several outputs one for each, with the output's name."""
    from ...lecture.formulas.reverse_mode import barred
    from .page import digits

    name, found = barred(graph.label(i)), [one.adjoints.get(i, 0.0) for one in passes]
    if len(found) == 1:
        return [f"{name} = {digits(found[0])}"]
    return [f"f{k}: {name} = {value:.4g}" for k, value in enumerate(found, 1)]
