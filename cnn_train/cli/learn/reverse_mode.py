"""``cnn-train learn reverse-mode``: the tape, and the trace of adjoints, a pass per output."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...page import Block, digits, numbers, texts
from ..options import JsonOption
from ..present import PictureOption, check_picture, present
from .page import AtOption, ExprsOption, function_block, mode_page, output_name, read_function
from .playing import play_reverse

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
    from ...lecture.formulas.reverse_mode import reverse_passes

    check_picture(out)
    texts, graph, point = read_function(expressions, at)
    values, passes = reverse_passes(graph, point)
    page = mode_page(
        texts,
        graph,
        point,
        blocks=(
            function_block(texts, graph, point),
            _tape_block(graph, values),
            *(block for i in range(len(passes)) for block in _pass_blocks(graph, passes, i)),
        ),
        document={
            "tape": [
                {"node": graph.label(i), "step": graph.step(i), "value": values[i]}
                for i in graph.steps
            ],
            "passes": [_describe_pass(graph, one_pass) for one_pass in passes],
            "jacobian": [list(one_pass.gradient) for one_pass in passes],
        },
        notes={i: (f"= {digits(value)}",) for i, value in enumerate(values)},
        counted="slope × adjoint",
        play=lambda: play_reverse(graph, values, passes),
        slopes=_adjoints(graph, values, passes),
        handed={
            (step.node, step.number): f"{step.contribution:.3g}"
            for step in passes[0].steps
            if len(passes) == 1
        },
        caption="green: the adjoint v̄, the slope of f by each value, and what it hands back",
    )
    present(page, as_json=as_json, out=out)


def _describe_pass(graph: "Graph", one_pass: "ReversePass") -> dict[str, Any]:
    from ...lecture.formulas.reverse_mode import chain_rule

    return {
        "output": graph.label(one_pass.output),
        "operations": one_pass.operations,
        "steps": [
            {
                "node": graph.label(step.node),
                "operand": graph.label(step.operand),
                "rule": chain_rule(graph, step),
                "slope": step.slope,
                "contribution": step.contribution,
                "collected": step.collected,
            }
            for step in one_pass.steps
        ],
        "adjoints": {graph.label(i): adjoint for i, adjoint in one_pass.adjoints.items()},
    }


def _tape_block(graph: "Graph", values: Sequence[float]) -> Block:
    return Block(
        "Forward pass: the tape keeps every value",
        columns=(*texts("node", "computes"), *numbers("value")),
        rows=tuple((graph.label(i), graph.step(i), digits(values[i])) for i in graph.steps),
    )


def _pass_blocks(graph: "Graph", passes: "Sequence[ReversePass]", i: int) -> tuple[Block, Block]:
    """Show a pass step by step, then each slope that it found, and of which paths it is the sum."""
    from ...lecture.formulas.reverse_mode import barred, chain_rule, paths_into

    one_pass, rows, lines = passes[i], [], []
    start = barred(graph.label(one_pass.output))
    for step in one_pass.steps:
        operand = graph.label(step.operand)
        rule = f"{barred(operand)} += {chain_rule(graph, step)}"
        found = map(digits, (step.slope, step.contribution, step.collected))
        rows.append((graph.label(step.node), operand, rule, *found))
    slopes = zip(graph.input_names, one_pass.gradient, strict=True)
    for position, (name, slope) in enumerate(slopes):
        paths = paths_into(one_pass, position)
        total = " + ".join(map(digits, paths)).replace("+ -", "- ")
        several = f" = {total}   ({len(paths)} paths)" if len(paths) > 1 else ""
        lines.append(f"→ ∂{output_name(graph, i)}/∂{name} = {digits(slope)}{several}")
    trace = Block(
        f"Backward pass {i + 1} of {len(passes)}: begin with {start} = 1",
        columns=(*texts("from", "to", "hands on"), *numbers("slope", "contribution", "collected")),
        rows=tuple(rows),
    )
    return trace, Block(tuple(lines))


def _adjoints(
    graph: "Graph", values: Sequence[float], passes: "Sequence[ReversePass]"
) -> dict[int, tuple[str, ...]]:
    """Return what is drawn at every node: its adjoint from each output."""
    from ...lecture.formulas.reverse_mode import barred

    lines = {}
    for i in range(len(values)):
        name = barred(graph.label(i))
        adjoints = [one_pass.adjoints.get(i, 0.0) for one_pass in passes]
        lines[i] = tuple(f"f{k}: {name} = {slope:.4g}" for k, slope in enumerate(adjoints, 1))
        if len(passes) == 1:
            lines[i] = (f"{name} = {digits(adjoints[0])}",)
    return lines
