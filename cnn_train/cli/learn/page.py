"""What the pages about formulas share: their options, the function, its graph, both modes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import UsageError
from ...page import Block, Page, numbers, paragraph, texts
from ..options import number

if TYPE_CHECKING:
    from ...figures.style import Drawing
    from ...lecture.formulas.graph import Graph
    from ...lecture.formulas.kinks import Kink
    from ...lecture.formulas.mode_costs import ModeCosts

SLIDE_TEXT, SLIDE_POINT = "x1*x2+sin(x1)", "2,3"
MOST_ROWS = 1000
EXPR_HELP = (
    "A formula in + - * / ** sin cos tan exp log sqrt tanh sigmoid relu abs max, pi and e. "
    "Default: the slide's."
)

ExprOption = Annotated[list[str] | None, typer.Option("--expr", metavar="FORMULA", help=EXPR_HELP)]
ExprsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--expr", metavar="FORMULA", help=f"{EXPR_HELP} Repeatable: a function of several outputs."
    ),
]
AtOption = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="NUMBERS",
        help="The point: 2,3 in the natural order of names (w, w0, x2, x10), or x=2,y=3.",
    ),
]
StepOption = Annotated[
    float, typer.Option("--h", parser=number(), help="Step h of the measured slopes.")
]


def read_function(
    texts: Sequence[str] | None, at: str | None
) -> tuple[list[str], "Graph", list[float]]:
    """Return the formulas, their graph and the point; without formulas, the slide's."""
    from ...lecture.formulas.expression import parse_expressions, parse_point

    graph = parse_expressions(texts or [SLIDE_TEXT])
    if at is None and texts:
        names = ", ".join(graph.input_names)
        raise UsageError(f"--at is missing: a number for each input of --expr ({names})")
    return list(texts or [SLIDE_TEXT]), graph, parse_point(at or SLIDE_POINT, graph.input_names)


def read_one_function(
    texts: Sequence[str] | None, at: str | None, page: str
) -> tuple[str, "Graph", list[float]]:
    """Return the only formula, its graph and the point; UsageError where there are several."""
    if texts and len(texts) > 1:
        raise UsageError(
            f"--expr {texts[1]}: {page} takes one formula; forward-mode and reverse-mode take more"
        )
    (text,), graph, point = read_function(texts, at)
    return text, graph, point


def check_step(h: float, smallest: float) -> None:
    """Refuse a step that is not between ``smallest`` and 1."""
    if not smallest <= h <= 1:
        raise UsageError(f"--h {h:g}: take a step from {smallest:g} to 1, e.g. 1e-5")


def write_point(names: Sequence[str], point: Sequence[float]) -> str:
    """Write ``x1 = 2, x2 = 3``, with all the digits that the user gave."""
    pairs = zip(names, point, strict=True)
    return ", ".join(f"{name} = {x + 0.0:.15g}" for name, x in pairs)


def function_name(graph: "Graph") -> str:
    """Return ``f(x1, x2)``."""
    return f"f({', '.join(graph.input_names)})"


def function_block(
    texts: Sequence[str], graph: "Graph", point: Sequence[float] | None, *lines: str
) -> Block:
    """Begin a page: the function is its heading, the point stands below, then the lines."""
    inputs = ", ".join(graph.input_names)
    heads = [f"{output_name(graph, i)}({inputs}) = {text}" for i, text in enumerate(texts)]
    where = () if point is None else (f"at {write_point(graph.input_names, point)}",)
    return Block(tuple(heads), lines=(*where, *lines))


def output_name(graph: "Graph", i: int) -> str:
    """Return ``f``, or ``f1`` for the first of several outputs."""
    return f"f{i + 1}" if len(graph.outputs) > 1 else "f"


def output_names(built: "Graph", position: int) -> list[str]:
    """Return the names of the outputs that this node is."""
    return [output_name(built, i) for i, o in enumerate(built.outputs) if o == position]


def draw_graph(
    built: "Graph",
    texts: Sequence[str],
    notes: Mapping[int, tuple[str, ...]],
    *,
    has_kink: bool = False,
    slopes: Mapping[int, tuple[str, ...]] | None = None,
    handed: Mapping[tuple[int, int], str] | None = None,
    caption: str = "",
) -> "Drawing":
    """Draw the steps, with notes and slopes by position; the title says if there is a kink.

    handed: what goes back along an arrow, by the node that it enters and the operand's number.
    """
    from ...figures.computational_graph import Box, draw_computational_graph

    drawn = built.steps
    several = len(built.outputs) > 1
    boxes = [
        Box(
            symbol=built.symbol(i),
            formula=" = ".join([built.label(i), built.step(i), *output_names(built, i) * several]),
            notes=notes.get(i, ()),
            slopes=(slopes or {}).get(i, ()),
            is_input=built.nodes[i].operation == "input",
            is_output=i in built.outputs,
        )
        for i in drawn
    ]
    edges = [(drawn.index(a), drawn.index(b)) for a, b, _ in built.arrows]
    back = [(handed or {}).get((node, number), "") for _, node, number in built.arrows]
    title = f"{function_name(built)} = {', '.join(texts)}"
    if has_kink:
        title += " (a kink: slopes are a choice)"
    return draw_computational_graph(boxes, edges, title, back, caption)


def _abridge(blocks: Iterable[Block]) -> Iterator[Block]:
    """Keep the first MOST_ROWS rows of all tables; a note counts what each lacks."""
    room = MOST_ROWS
    for block in blocks:
        missing = len(block.rows) - room
        notes = (f"{missing} more rows are not shown; --json has all.",) * (missing > 0)
        yield replace(block, rows=block.rows[:room], notes=notes)
        room = max(-missing, 0)


def mode_page(
    texts: Sequence[str],
    graph: "Graph",
    point: Sequence[float],
    *,
    blocks: Iterable[Block],
    document: Mapping[str, Any],
    notes: Mapping[int, tuple[str, ...]],
    counted: str,
    play: Callable[[], dict[str, Any]],
    **slopes: Any,
) -> Page:
    """Add to a mode's own blocks and document what both say: the kinks, and what the modes cost."""
    from ...lecture.formulas.kinks import kinks_at
    from ...lecture.formulas.mode_costs import compare_modes

    kinks = [kinks_at(graph, point, output) for output in range(len(graph.outputs))]
    costs = compare_modes(graph, point)
    return Page(
        blocks=(*_abridge(blocks), *_kinks_blocks(graph, kinks), *_costs_blocks(costs, counted)),
        document={
            "expressions": texts,
            "point": dict(zip(graph.input_names, point, strict=True)),
            **document,
            "kinks": [[asdict(kink) for kink in output] for output in kinks],
            "costs": [asdict(cost) for cost in costs],
        },
        draw=lambda: draw_graph(graph, texts, notes, has_kink=any(kinks), **slopes),
        play=play,
    )


def _kinks_blocks(graph: "Graph", kinks: "Sequence[Sequence[Kink]]") -> tuple[Block, ...]:
    """Say of every output with a kink that its slopes are a choice; ``kinks``: of each output."""
    from ...lecture.formulas.kinks import choice, describe_kinks

    heads = [
        f"{describe_kinks(bent, output_name(graph, i))}." for i, bent in enumerate(kinks) if bent
    ]
    if not heads:
        return ()
    line = (
        f"What was computed adds up a choice for each kink: {choice(graph)}. "
        "It is no derivative of f there."
    )
    return (Block(tuple(heads), lines=(line,)),)


def _costs_blocks(costs: "Sequence[ModeCosts]", counted: str) -> tuple[Block, Block]:
    """Compare the work of both modes, a function per row; say what else counts as an operation."""
    counts = numbers(
        "n → m",
        "values\nonly",
        "forward\npasses",
        "\noperations",
        "reverse\npasses",
        "\noperations",
    )
    rows = []
    for cost in costs:
        name, num_inputs, num_outputs, *work = astuple(cost)
        rows.append((name, f"{num_inputs} → {num_outputs}", *map(str, work)))
    note = f"operations: one per value computed, one per {counted} added up."
    return Block(columns=(*texts("function"), *counts), rows=tuple(rows)), paragraph(note)
