"""The ``cnn-train`` command: its sub-commands; the only place where errors become exit codes."""

import errno
import sys
from typing import Annotated

import typer

from ..errors import OUT_OF_MEMORY, CnnTrainError, ResourceError, describe_shortage
from ..machine.processes import require_one_process
from ..version import __version__
from . import checkpoint, config, data, learn, models, visualize
from .console import error, stdout
from .evaluate import evaluate
from .fit.command import fit
from .gradcheck import gradcheck
from .inspect import inspect
from .playground import WITH_OLDER_FLAGS, playground
from .predict import predict
from .process.standard_streams import abandon_output, prepare_streams
from .process.stop_signal import ended_by_sigterm
from .profile import profile
from .runs import runs

READER_IS_GONE = 141
"""The exit code of a program that ends by SIGPIPE, as a shell reports it."""

SHORTAGES = {
    errno.ENOSPC: "disk full: no space left for the output",
    errno.EDQUOT: "disk quota used up: no space left for the output",
    errno.EMFILE: "too many open files; allow more with: ulimit -n 1024",
    errno.ENFILE: "too many open files on this machine; close other programs",
    errno.ENOMEM: OUT_OF_MEMORY,
}

app = typer.Typer(
    name="cnn-train",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Train, evaluate and use small-image convolutional networks from YAML configs.",
)
for command in (fit, evaluate, predict, inspect, runs, profile, gradcheck):
    app.command()(command)
app.command(context_settings=WITH_OLDER_FLAGS)(playground)
app.add_typer(visualize.app, name="visualize")
app.add_typer(models.app, name="models")
app.add_typer(data.app, name="data")
app.add_typer(checkpoint.app, name="checkpoint")
app.add_typer(config.app, name="config")
app.add_typer(learn.app, name="learn")


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
    prepare_streams()
    try:
        try:
            with ended_by_sigterm():
                _run_app()
        finally:
            stdout.file.flush()  # trouble with stdout shows here rather than after the end
    except SystemExit as end:  # with it, typer and rich end a program whose reader is gone
        if isinstance(end.__context__, BrokenPipeError):
            abandon_output(READER_IS_GONE)
        raise
    except OSError as problem:
        if problem.errno == errno.EPIPE:  # `cnn-train ... | head`: nobody reads on
            abandon_output(READER_IS_GONE)
        if problem.errno in SHORTAGES:
            error(SHORTAGES[problem.errno])
            abandon_output(ResourceError.exit_code)
        raise


def _run_app() -> None:
    """Run the command; name a failure on stderr and exit with its code."""
    try:
        app()
    except CnnTrainError as failure:
        error(str(failure))
        sys.exit(failure.exit_code)
    except KeyboardInterrupt:
        error("interrupted")
        sys.exit(130)
    except (MemoryError, RuntimeError, ImportError) as problem:
        message = describe_shortage(problem)
        if message is None:
            raise
        error(message)
        sys.exit(ResourceError.exit_code)
