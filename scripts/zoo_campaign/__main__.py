"""``scripts/zoo``: choose rows, measure what is missing of them, publish what is known."""

import signal
from pathlib import Path
from typing import Annotated

import typer
from part_program import choose_parts, run_program

from cnn_train.cli.console import stderr
from cnn_train.data.location import resolve_data_dir
from cnn_train.errors import UsageError

from .assessing import REPOSITORY
from .campaign import measure_missing, results_in
from .publish import TABLE, page_of, publish, publish_around
from .recipes import RECIPES, choose_recipes
from .records import add_runs, load_rows
from .repeat import repeat_row
from .training import NotDoneError, Place
from .weights import MODELS, write_models


def zoo(
    rows: Annotated[
        str | None,
        typer.Option("--rows", metavar="NAME,…", help=f"Rows to measure: {', '.join(RECIPES)}."),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", min=1, help="Runs of each row; default: as its recipe says."),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option("--budget", min=0, help="Hours after which training stops, saved."),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            help="Folder with train/<class>/<image> and test alike; default: CIFAR-10 itself.",
        ),
    ] = None,
    folder: Annotated[
        Path, typer.Option("--folder", help="Runs and results; several machines may share it.")
    ] = Path("runs/zoo"),
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Where datasets are kept, as for cnn-train.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N.")] = "auto",
    repeat: Annotated[
        str | None,
        typer.Option(
            "--repeat", metavar="NAME", help="Train a row's first seed once more, and compare."
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            metavar="NAME,…",
            help=f"Write these trained models for pretrained:NAME, from --folder's runs: "
            f"{', '.join(MODELS)}.",
        ),
    ] = None,
    table: Annotated[
        Path,
        typer.Option(
            "--table",
            help="Where figures go: this file, and a page beside it (.md).",
            show_default="docs/zoo.json",
        ),
    ] = REPOSITORY / TABLE,
    publish_only: Annotated[
        bool, typer.Option("--publish", help="Measure nothing; write what is known.")
    ] = False,
) -> None:
    """Measure every recipe, evaluate it once on the test images, write docs/zoo.json and zoo.md.

    Started again, it goes on where it was stopped. Exit code 1 where a row failed.
    """
    for split in ("train", "test"):
        if images and not (images / split).is_dir():
            raise UsageError(f"--images {images}: there is no folder {split} in it")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # saves and stops, as Ctrl-C does
    place = Place(
        images and images.resolve(), folder.resolve(), resolve_data_dir(data_dir), device=device
    )
    if weights:
        write_models(choose_parts(weights, MODELS, "--weights"), load_rows(table), place)
        return
    failures = 0
    try:
        if repeat:
            repeat_row(repeat, load_rows(table), place)
        elif not publish_only:
            seconds = None if budget is None else budget * 3600
            failures = measure_missing(
                choose_recipes(rows), seeds, place, load_rows(table), seconds, say
            )
    except NotDoneError as reason:
        raise UsageError(f"--repeat {repeat}: {reason}") from None
    except KeyboardInterrupt:
        say("stopped; the same command goes on")
        failures = 1
    known = load_rows(table)  # others may have written it meanwhile
    add_runs(known, results_in(place.folder), as_repeats=False)
    add_runs(known, results_in(place.folder, "repeated"), as_repeats=True)
    publish(known, table)
    say(f"wrote {table} and {page_of(table)}")
    if table.resolve() == (REPOSITORY / TABLE).resolve():
        publish_around(known, REPOSITORY)
        say("wrote the pictures and the headers of configs")
    raise typer.Exit(int(failures > 0))


def say(text: str) -> None:
    """Tell the user."""
    stderr.print(text, soft_wrap=True, markup=False, highlight=False)


if __name__ == "__main__":
    run_program(zoo)
