"""``cnn-train learn``: the lecture's pages, each worked out on numbers of your own."""

import typer

from .batch_size import batch_size
from .descent import descent
from .diff import diff
from .forward_mode import forward_mode
from .graph import graph
from .loss import loss
from .params import params
from .reverse_mode import reverse_mode
from .slope import slope
from .step import step

app = typer.Typer(
    no_args_is_help=True, help="The lecture, page by page, on your own numbers and models."
)
app.command()(params)
app.command()(loss)
app.command()(slope)
app.command()(diff)
app.command()(graph)
app.command()(forward_mode)
app.command()(reverse_mode)
app.command()(batch_size)
app.command()(descent)
app.command()(step)
