"""``cnn-train lecture``: the lecture's chapters, with the numbers and pictures of a run."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import typer

from ..errors import UsageError
from ..machine.atomic_file import check_writable, write_atomically
from .completion import complete_runs
from .console import notice, say
from .options import DataDirOption

app = typer.Typer(no_args_is_help=True, help="The lecture's text, with your run in it.")


@app.callback()
def lecture() -> None:
    """The lecture's text, with your run in it."""


@app.command()
def export(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="The run directory to work with.", autocompletion=complete_runs
        ),
    ],
    to: Annotated[
        Literal["html", "ipynb"], typer.Option("--to", help="A web page, or a Jupyter notebook.")
    ] = "html",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The file to write. Default: RUN/lecture.*"),
    ] = None,
    data_dir: DataDirOption = None,
) -> None:
    """Write the lecture's chapters with this run's numbers and pictures; takes some minutes.

    Every command of the text is run with your run, its config and its images in place of the
    lecture's. No network is trained, and no test image is read.
    """
    from ..lecture.own_chapters import OwnRun, as_notebook
    from ..runs.directory import find_run
    from .display.lecture import render_chapters

    found = find_run(run)
    if not run.is_dir():
        run = found.path
    out = out or run / f"lecture.{to}"
    if out.suffix != f".{to}":
        raise UsageError(f"--out {out}: --to {to} writes a file that ends in .{to}")
    check_writable(out)
    with TemporaryDirectory() as place:
        chapters = list(
            OwnRun(run, Path(place), data_dir).chapters(lambda line: notice(f"$ {line}"))
        )
        title = f"Learning in convolutional networks, with {found.path.name}"
        if to == "html":
            content = render_chapters(title, chapters)
        else:
            content = json.dumps(as_notebook(chapters), indent=1, ensure_ascii=False)
    write_atomically(out, content.encode())
    say(out)
