"""The ``cnn-train`` command: its sub-commands, and the one place where errors become exit codes."""

import errno
import os
import sys
from typing import Annotated, NoReturn

import typer

from .. import __version__
from ..distributed import require_one_process
from ..errors import OUT_OF_MEMORY, CnnTrainError, is_out_of_memory
from . import config, data, models
from .console import error, stdout
from .evaluate import evaluate
from .fit import fit
from .predict import predict
from .profile import profile
from .runs import runs
from .visualize import visualize

app = typer.Typer(
    name="cnn-train",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Train, evaluate and use small-image convolutional networks from YAML configs.",
)
app.command()(fit)
app.command()(evaluate)
app.command()(predict)
app.command()(runs)
app.command()(profile)
app.command()(visualize)
app.add_typer(models.app, name="models")
app.add_typer(data.app, name="data")
app.add_typer(config.app, name="config")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cnn-train {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """Train, evaluate and use small-image convolutional networks from YAML configs."""
    if context.invoked_subcommand not in (None, fit.__name__):
        require_one_process(str(context.invoked_subcommand))


def main() -> None:
    """Run the command line and exit with a documented code; a user's error is never a traceback."""
    try:
        try:
            app()
        finally:
            stdout.file.flush()  # trouble with stdout shows here rather than after the end
    except CnnTrainError as failure:
        error(str(failure))
        sys.exit(failure.exit_code)
    except KeyboardInterrupt:
        error("interrupted")
        sys.exit(130)
    except SystemExit as end:  # with it, typer and rich end a program whose reader is gone
        if isinstance(end.__context__, BrokenPipeError):
            _abandon_stdout(141)
        raise
    except OSError as problem:
        if problem.errno == errno.EPIPE:  # `cnn-train ... | head`: nobody reads on
            _abandon_stdout(141)
        if problem.errno == errno.ENOSPC:
            error("disk full: no space left for the output")
            _abandon_stdout(6)
        raise
    except (MemoryError, RuntimeError) as problem:
        if is_out_of_memory(problem):
            error(OUT_OF_MEMORY)
            sys.exit(6)
        raise


def _abandon_stdout(exit_code: int) -> NoReturn:
    """Exit without another attempt to write what is still in stdout's buffer."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.file.fileno())
    sys.exit(exit_code)
