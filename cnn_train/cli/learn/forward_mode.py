"""``cnn-train learn forward-mode``: the trace of dual numbers, a pass per input."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from ...page import Block, digits, numbers, texts
from ..options import JsonOption
from ..present import PictureOption, check_picture, present
from .page import AtOption, ExprsOption, function_block, mode_page, output_name, read_function
from .playing import play_forward

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
    from ...lecture.formulas.forward_mode import forward_jacobian, forward_passes, trace_forward

    check_picture(out)
    texts, graph, point = read_function(expressions, at)
    passes = forward_passes(graph, point)
    idea = "Each step carries its value v and its slope v\u0307 along one input."
    page = mode_page(
        texts,
        graph,
        point,
        blocks=(
            function_block(texts, graph, point, idea),
            *(block for i in range(len(passes)) for block in _pass_blocks(graph, passes, i)),
        ),
        document={
            "passes": [
                {
                    "direction": list(one_pass.direction),
                    "operations": one_pass.operations,
                    "steps": [asdict(step) for step in trace_forward(graph, one_pass)],
                }
                for one_pass in passes
            ],
            "jacobian": forward_jacobian(graph, point),
        },
        notes={i: (f"= {digits(value)}",) for i, value in enumerate(passes[0].values)},
        counted="slope × tangent",
        play=lambda: play_forward(graph, passes),
        slopes=_tangents(graph, passes),
        caption="green: v\u0307, the slope of each value along an input",
    )
    present(page, as_json=as_json, out=out)


def _pass_blocks(graph: "Graph", passes: "Sequence[ForwardPass]", i: int) -> tuple[Block, Block]:
    """Show a pass step by step, then the slopes that it found."""
    from ...lecture.formulas.forward_mode import dotted, trace_forward

    name, one_pass = graph.input_names[i], passes[i]
    trace = Block(
        f"Pass {i + 1} of {len(passes)}: along {name}",
        columns=(
            *texts("node", "computes"),
            *numbers("value"),
            *texts("tangent by the chain rule"),
            *numbers("tangent"),
        ),
        rows=tuple(
            (
                step.node,
                step.formula,
                digits(step.value),
                f"{dotted(step.node)} = {step.rule}",
                digits(step.tangent),
            )
            for step in trace_forward(graph, one_pass)
        ),
    )
    slopes = [
        f"→ ∂{output_name(graph, k)}/∂{name} = {digits(one_pass.tangents[output])}"
        for k, output in enumerate(graph.outputs)
    ]
    return trace, Block(tuple(slopes))


def _tangents(graph: "Graph", passes: "Sequence[ForwardPass]") -> dict[int, tuple[str, ...]]:
    """Return what is drawn at every node: its slope along each input."""
    pairs = list(zip(graph.input_names, passes, strict=True))
    return {
        i: tuple(f"along {name}: {one_pass.tangents[i]:.4g}" for name, one_pass in pairs)
        for i in graph.steps
    }
