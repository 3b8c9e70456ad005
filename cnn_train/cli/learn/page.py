"""What the lecture's pages share: expressions as options, tables of numbers, pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from ...lecture.formulas.graph import Graph

SLIDE_TEXT, SLIDE_POINT = "x1*x2+sin(x1)", "2,3"
EXPR_HELP = "A formula in + - * / ** sin cos tan exp log sqrt tanh relu max. Default: the slide's."

ExprOption = Annotated[list[str] | None, typer.Option("--expr", metavar="FORMULA", help=EXPR_HELP)]
ExprsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--expr", metavar="FORMULA", help=f"{EXPR_HELP} Repeatable: a function of several outputs."
    ),
]
AtOption = Annotated[
    str | None,
    typer.Option("--at", metavar="NUMBERS", help="Where: 2,3 in the order of names, or x=2,y=3."),
]
PictureOption = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Draw it as .png or .svg.")
]


def read_function(
    texts: Sequence[str] | None, at: str | None
) -> tuple[list[str], "Graph", list[float]]:
    """Return the formulas, their graph and the point; without formulas, the slide's."""
    from ...errors import UsageError
    from ...lecture.formulas.expression import parse_expressions, parse_point

    graph = parse_expressions(texts or [SLIDE_TEXT])
    if at is None and texts:
        names = ", ".join(graph.input_names)
        raise UsageError(f"--at is missing: a number for each input of --expr ({names})")
    return list(texts or [SLIDE_TEXT]), graph, parse_point(at or SLIDE_POINT, graph.input_names)


def require_one(texts: Sequence[str] | None, page: str) -> list[str] | None:
    """Return the one formula as a list, or None; UsageError where there are several."""
    from ...errors import UsageError

    if texts and len(texts) > 1:
        raise UsageError(
            f"--expr {texts[1]}: {page} takes one formula; forward-mode and reverse-mode take more"
        )
    return list(texts) if texts else None


def check_step(h: float, least: float) -> None:
    """Refuse a step that is none, or no small one."""
    from ...errors import UsageError

    if not least <= h <= 1:
        raise UsageError(f"--h {h:g}: is no step; take one from {least:g} to 1, e.g. 1e-5")


def write_point(names: Sequence[str], point: Sequence[float]) -> str:
    """Write ``x1 = 2, x2 = 3``, with all the digits that the user gave."""
    pairs = zip(names, point, strict=True)
    return ", ".join(f"{name} = {x + 0.0:.15g}" for name, x in pairs)


def function_name(graph: "Graph") -> str:
    """Return ``f(x1, x2)``."""
    return f"f({', '.join(graph.input_names)})"


def show_function(texts: Sequence[str], graph: "Graph", point: Sequence[float] | None) -> None:
    """Print the function and the point as the page's heading."""
    names = graph.input_names
    for i, text in enumerate(texts):
        number = str(i + 1) if len(texts) > 1 else ""
        show_heading(f"f{number}({', '.join(names)}) = {text}")
    if point is not None:
        show_text(f"at {write_point(names, point)}")


def show_heading(text: str) -> None:
    """Print a line in bold, as it is."""
    from ..console import stdout

    stdout.print(text, style="bold", markup=False)


def show_text(text: str = "") -> None:
    """Print plain words, wrapped at the terminal's width."""
    from ..console import stdout

    stdout.print(text, markup=False)


def show_table(table: "Table") -> None:
    """Print a table with an empty line before it; no number is broken, however narrow it is."""
    from ..console import stdout

    stdout.print()
    width = max(stdout.width, stdout.measure(table).minimum)
    stdout.print(table, width=width, crop=False)


def make_table(*texts: str, numbers: Sequence[str] = (), last: str | None = None) -> "Table":
    """Make a table without lines: columns of text, of numbers, and perhaps of text again."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in texts:
        table.add_column(heading, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    if last is not None:
        table.add_column(last, overflow="fold")
    return table


def digits(number: float) -> str:
    """Write seven significant digits; zero has no sign."""
    return f"{number + 0.0:.7g}"


def short(number: float | None) -> str:
    """Write two significant digits of an error, or a dash where there is none."""
    return "—" if number is None else "0" if number == 0 else f"{number:.1e}"


def microseconds(seconds: float | None) -> str:
    """Write a short time, or a dash where there is none."""
    return "—" if seconds is None else f"{1e6 * seconds:.1f} µs"


def point_json(graph: "Graph", point: Sequence[float]) -> dict[str, float]:
    """Return the point by names of the inputs."""
    return dict(zip(graph.input_names, point, strict=True))


def check_picture(out: Path | None) -> None:
    """Refuse a picture's path before anything is computed."""
    if out is not None:
        from ...figures.saving import check_figure_path

        check_figure_path(out)


def save_picture(figure: Any, out: Path) -> None:
    """Save a matplotlib Figure and name its file on stderr."""
    from ...figures.saving import save_figure
    from ..console import notice

    save_figure(figure, out)
    notice(f"wrote {out}")


def costs_table(costs: Sequence[Any]) -> "Table":
    """Compare passes and operations of both modes, a function per row (ModeCosts)."""
    table = make_table(
        "function",
        numbers=(
            "n → m",
            "values\nonly",
            "forward\npasses",
            "\noperations",
            "reverse\npasses",
            "\noperations",
        ),
    )
    for one in costs:
        table.add_row(
            one.function,
            f"{one.num_inputs} → {one.num_outputs}",
            str(one.values),
            str(one.forward_passes),
            str(one.forward_operations),
            str(one.reverse_passes),
            str(one.reverse_operations),
        )
    return table
