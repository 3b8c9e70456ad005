"""``scripts/bench``: choose the parts, run them, show the rows as a table and as JSON."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from part_program import JsonPlace, Report, choose_parts, run_program

from cnn_train.figures.saving import check_figure_path
from cnn_train.machine.device import resolve_device

from .bench import Bench
from .ceiling import ceiling_rows
from .decode import decode_rows
from .overhead import overhead_rows
from .rows import Row, make_table
from .scale import scale_rows
from .speedrun import speedrun_rows
from .startup import startup_rows
from .train import float32_rows, train_rows

PARTS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "ceiling": lambda bench: ceiling_rows(bench.ceiling),
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
    json_to: JsonPlace = None,
) -> None:
    """Measure how fast cnn-train is, beside a plain PyTorch loop in the same run."""
    parts = choose_parts(only, PARTS)
    if plot:
        check_figure_path(plot)
    repeats = repeats or (QUICK_REPEATS if quick else REPEATS)
    rounds = f"median [smallest–largest] of {repeats} rounds, all candidates in turns"
    with tempfile.TemporaryDirectory(prefix="cnn-train-bench-") as scratch:
        settings = Bench(
            resolve_device(device), quick, repeats, Path(scratch), data_root, config, beside, plot
        )
        report = Report(json_to, settings.device, rounds)
        rows = report.run_parts(PARTS, parts, settings, make_table)
    missed = [f"missed: {row.part}, {row.name}" for row in rows if row.is_missed]
    report.print(*settings.remarks, *missed)
    documents = [row.to_json() for row in rows]
    report.write(quick=quick, repeats=repeats, rows=documents, remarks=settings.remarks)


if __name__ == "__main__":
    run_program(bench)
