"""``cnn-train learn``: the lecture's pages, each worked out on numbers of your own."""

import typer

from .backprop import backprop
from .batch_size import batch_size
from .check import check
from .conv import conv
from .descent import descent
from .diff import diff
from .forward_mode import forward_mode
from .graph import graph
from .loss import loss
from .params import params
from .regularization import regularization
from .reverse_mode import reverse_mode
from .slope import slope
from .step import step

app = typer.Typer(
    no_args_is_help=True, help="The lecture, page by page, on your own numbers and models."
)
for command in (
    params, conv, loss, slope, diff, check, graph, forward_mode, reverse_mode, backprop,
    batch_size, descent, regularization, step,
):  # fmt: skip
    app.command()(command)
