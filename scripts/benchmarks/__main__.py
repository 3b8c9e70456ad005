"""``scripts/bench``: choose the parts, run them, show the rows as a table and as JSON."""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from part_program import choose_parts, run_program, write_document
from rich.console import Console
from rich.markup import escape

from cnn_train.cli.console import stderr, stdout
from cnn_train.figures.saving import check_figure_path
from cnn_train.machine.device import resolve_device
from cnn_train.machine.environment import describe_environment

from .bench import Bench
from .ceiling import ceiling_rows
from .decode import decode_rows
from .float32 import float32_rows
from .overhead import overhead_rows
from .rows import Row, make_table
from .scale import scale_rows
from .speedrun import speedrun_rows
from .startup import startup_rows
from .train import train_rows

PARTS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "ceiling": ceiling_rows,
    "train": train_rows,
    "float32": float32_rows,
    "overhead": overhead_rows,
    "startup": startup_rows,
    "decode": decode_rows,
    "scale": scale_rows,
    "speedrun": speedrun_rows,
}
REPEATS, QUICK_REPEATS = 5, 2


def bench(
    only: Annotated[
        str, typer.Option("--only", metavar="NAME,…", help=f"Parts to run: {', '.join(PARTS)}.")
    ] = ",".join(PARTS),
    quick: Annotated[bool, typer.Option("--quick", help="Few rounds: two minutes in all.")] = False,
    repeats: Annotated[
        int | None, typer.Option("--repeats", min=1, help="Rounds; default 5, or 2 with --quick.")
    ] = None,
    data_root: Annotated[
        Path | None,
        typer.Option("--data-root", help="Real images: a folder with train/<class>/<image>."),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N, mps.")] = "auto",
    config: Annotated[
        Path | None, typer.Option("--config", help="What the speedrun part trains.")
    ] = None,
    beside: Annotated[
        str | None,
        typer.Option("--beside", metavar="COMMAND", help="Time this in turns with the speedrun."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="PNG", help="Draw what the scale part found.")
    ] = None,
    json_to: Annotated[
        str | None,
        typer.Option("--json", metavar="FILE", help="Write JSON to this file; - for stdout."),
    ] = None,
) -> None:
    """Measure how fast cnn-train is, beside a plain PyTorch loop in the same run."""
    parts = choose_parts(only, PARTS)
    if plot:
        check_figure_path(plot)
    with tempfile.TemporaryDirectory(prefix="cnn-train-bench-") as scratch:
        told = Bench(
            resolve_device(device), quick, repeats or (QUICK_REPEATS if quick else REPEATS),
            Path(scratch), data_root, config, beside, plot,
        )  # fmt: skip
        document = run_parts(told, parts, stderr if json_to == "-" else stdout)
    write_document(document, json_to)


def run_parts(told: Bench, parts: list[str], screen: Console) -> dict[str, Any]:
    """Run the parts, show each one's table when it is done, return the whole as a document."""
    environment = describe_environment(told.device)
    facts = ", ".join(f"{name} {value}" for name, value in environment.items())
    rounds = f"median [smallest–largest] of {told.repeats} rounds, all candidates in turns"
    screen.print(escape(f"{facts}\n{rounds}"), soft_wrap=True)
    rows: list[Row] = []
    for part in parts:
        started = time.perf_counter()
        with stderr.status(f"measuring {part} …"):
            found = list(PARTS[part](told))
        rows += found
        if found:
            screen.print(make_table(f"{part} ({time.perf_counter() - started:.0f} s)", found))
    missed = [
        f"missed: {row.part}, {row.name}" for row in rows if row.target and not row.target.kept
    ]
    for line in [*told.remarks, *missed]:
        screen.print(escape(line), soft_wrap=True)
    return {
        "environment": environment,
        "quick": told.quick,
        "repeats": told.repeats,
        "rows": [row.to_json() for row in rows],
        "remarks": told.remarks,
    }


if __name__ == "__main__":
    run_program(bench)
