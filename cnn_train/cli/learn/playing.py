"""The two modes as events that a page plays: a value, or a slope and what was handed on to it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .page import output_name

if TYPE_CHECKING:
    from ...lecture.formulas.forward_mode import ForwardPass
    from ...lecture.formulas.graph import Graph
    from ...lecture.formulas.reverse_mode import ReversePass

Event = dict[str, Any]


def describe_graph(graph: "Graph", passes: Sequence[tuple[str, list[Event]]]) -> dict[str, Any]:
    """Place the boxes and arrows; events name them by number, in the order of ``graph.steps``."""
    from ...figures.layered_layout import arrange

    steps = graph.steps
    layout = arrange(len(steps), [(steps.index(a), steps.index(b)) for a, b, _ in graph.arrows])
    return {
        "boxes": [
            {
                "symbol": graph.symbol(i),
                "formula": f"{graph.label(i)} = {graph.step(i)}",
                "kind": "output" if i in graph.outputs else graph.nodes[i].operation,
                "at": place,
            }
            for i, place in zip(steps, layout.nodes, strict=True)
        ],
        "edges": [
            {"to": steps.index(to), "points": points}
            for (_, to, _), points in zip(graph.arrows, layout.arrows, strict=True)
        ],
        "passes": [{"title": title, "events": events} for title, events in passes],
    }


def play_reverse(
    graph: "Graph", values: Sequence[float], passes: Sequence["ReversePass"]
) -> dict[str, Any]:
    """Fill the tape, then hand adjoints back; ``last``: the operand's adjoint is complete."""
    from ...lecture.formulas.reverse_mode import barred, chain_rule

    tape = [_value(graph, i, values[i]) for i in graph.steps]
    arrows = [(to, number) for _, to, number in graph.arrows]

    def play(one_pass: "ReversePass") -> list[Event]:
        start = barred(graph.label(one_pass.output))
        events = [*tape, _slope(graph, one_pass.output, start, 1.0, "∂f/∂f")]
        for k, step in enumerate(one_pass.steps):
            bar = barred(graph.label(step.operand))
            rule = chain_rule(graph, step)
            event = _slope(graph, step.operand, bar, step.collected, rule)
            last = all(later.operand != step.operand for later in one_pass.steps[k + 1 :])
            edge = arrows.index((step.node, step.number))
            events.append(event | {"part": step.contribution, "edge": edge, "last": last})
        return events

    names = [f"Backward from {output_name(graph, i)}" for i in range(len(passes))]
    return describe_graph(graph, list(zip(names, map(play, passes), strict=True)))


def play_forward(graph: "Graph", passes: Sequence["ForwardPass"]) -> dict[str, Any]:
    """Fill in each value, and beside it the slope along one input."""
    from ...lecture.formulas.forward_mode import dotted, trace_forward

    def play(one_pass: "ForwardPass") -> list[Event]:
        events = []
        for i, step in zip(graph.steps, trace_forward(graph, one_pass), strict=True):
            slope = _slope(graph, i, dotted(step.node), step.tangent, step.rule)
            is_seed = graph.nodes[i].operation == "input"
            events += [_value(graph, i, step.value), slope | ({} if is_seed else {"last": True})]
        return events

    names = [f"Forward along {name}" for name in graph.input_names]
    return describe_graph(graph, list(zip(names, map(play, passes), strict=True)))


def _value(graph: "Graph", i: int, value: float) -> Event:
    return _slope(graph, i, graph.label(i), value, graph.step(i)) | {"slot": "value"}


def _slope(graph: "Graph", i: int, name: str, slope: float, rule: str) -> Event:
    node = graph.steps.index(i)
    return {"node": node, "slot": "slope", "name": name, "number": slope, "rule": rule}
