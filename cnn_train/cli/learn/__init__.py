"""``cnn-train learn``: the lecture's pages, each worked out on numbers of your own."""

import typer

from .batch_size import batch_size
from .descent import descent
from .step import step

app = typer.Typer(
    no_args_is_help=True, help="The lecture, page by page, on your own numbers and models."
)
app.command()(batch_size)
app.command()(descent)
app.command()(step)
