"""``scripts/zoo``: choose rows, measure what is missing of them, publish what is known."""

import signal
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from part_program import choose_parts, run_program

from cnn_train.checkpoints.pretrained import FOLDER
from cnn_train.cli.console import stderr
from cnn_train.data.location import resolve_data_dir
from cnn_train.errors import UsageError

from .campaign import measure_missing, measured_files
from .measuring import REPOSITORY, Place
from .publish import JSON, publish
from .recipes import RECIPES, choose_recipes
from .records import add_runs, load_rows
from .repeat import repeat_row
from .weights import MODELS, write_model


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
        float | None, typer.Option("--budget", min=0, help="Hours; what is under way is saved.")
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
    publish_only: Annotated[
        bool, typer.Option("--publish", help="Measure nothing; write what is known.")
    ] = False,
) -> None:
    """Measure every recipe, evaluate it once on the test images, write docs/zoo.json and zoo.md.

    Started again, it goes on where it was stopped. Exit code 1 where a row failed.
    """
    if images and not (images / "train").is_dir():
        raise UsageError(f"--images {images}: there is no folder train in it")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # saves and stops, as Ctrl-C does
    place = Place(
        images and images.resolve(), folder.resolve(), resolve_data_dir(data_dir), device=device
    )
    known = load_rows(REPOSITORY / JSON)
    failures: list[str] = []
    if weights:
        for name in choose_parts(weights, MODELS, "--weights"):
            kept = FOLDER if MODELS[name].ships else place.data_dir / FOLDER.name
            stderr.print(f"wrote {write_model(name, known, place, kept)}", soft_wrap=True)
        return
    if repeat:
        with tempfile.TemporaryDirectory(prefix="cnn-train-zoo-") as scratch:
            stderr.print(repeat_row(repeat, known, place, Path(scratch)), soft_wrap=True)
    elif not publish_only:
        chosen = choose_recipes(rows)
        seconds = None if budget is None else budget * 3600
        try:
            failures += measure_missing(chosen, seeds, place, known, seconds, stderr.print)
        except KeyboardInterrupt:
            stderr.print("stopped; the same command goes on")
            failures.append("stopped")
    add_runs(known, measured_files(place.folder))
    publish(known, REPOSITORY)
    stderr.print(f"wrote {JSON}, docs/zoo.md, its pictures and the headers of configs")
    raise typer.Exit(int(bool(failures)))


if __name__ == "__main__":
    run_program(zoo)
