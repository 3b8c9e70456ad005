"""The ``cnn-train`` command: its sub-commands; the only place where errors become exit codes."""

import errno
import sys
from contextlib import suppress
from typing import Annotated

import typer
from typer.core import TyperCommand

from ..errors import InterruptedRun, ResourceError, UsageError, describe_shortage, expected_failure
from ..machine.processes import require_one_process
from ..version import __version__
from . import checkpoint, config, data, learn, lecture, models, runs, visualize
from .compare import compare
from .console import error, print_failure, promise_json, stdout
from .evaluate import evaluate
from .explore import explore
from .export import export
from .find_lr import find_lr
from .fit.command import fit
from .gradcheck import gradcheck
from .inspect import inspect
from .playground import WITH_OLDER_FLAGS, playground
from .predict import predict
from .process.standard_streams import abandon_output, prepare_streams
from .process.stop_signal import ended_by_sigterm
from .profile import profile
from .report import report
from .serve import serve
from .strict_command import Group, PlainGroup, StrictCommand
from .sweep import sweep

READER_IS_GONE = 141
"""The exit code of a program that ends by SIGPIPE, as a shell reports it."""

app = typer.Typer(
    name="cnn-train",
    cls=PlainGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Train, evaluate and use small-image convolutional networks from YAML configs.",
)
for command in (
    fit, evaluate, predict, compare, report, export, serve, inspect, explore, find_lr, sweep,
    profile, gradcheck,
):  # fmt: skip
    app.command()(command)
app.command(context_settings=WITH_OLDER_FLAGS)(playground)
app.add_typer(visualize.app, name="visualize")
app.add_typer(runs.app, name="runs")
app.add_typer(models.app, name="models")
app.add_typer(data.app, name="data")
app.add_typer(checkpoint.app, name="checkpoint")
app.add_typer(config.app, name="config")
app.add_typer(learn.app, name="learn")
app.add_typer(lecture.app, name="lecture")


def _be_strict(commands: typer.Typer) -> None:
    """Let every command that has no class of its own read its words as a StrictCommand."""
    for command in commands.registered_commands:
        if command.cls in (None, TyperCommand):
            command.cls = StrictCommand
    for group in commands.registered_groups:
        if (inner := group.typer_instance) is not None:
            inner.info.cls = inner.info.cls if isinstance(inner.info.cls, type) else Group
            _be_strict(inner)


_be_strict(app)


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
        if (shortage := describe_shortage(problem)) is not None:
            error(shortage)
            with suppress(OSError):
                stdout.file.flush()
            abandon_output(ResourceError.exit_code)
        raise


def _run_app() -> None:
    """Run the command; name a failure on stderr, with --json on stdout too; exit with its code."""
    promise_json("--json" in sys.argv[1:])
    try:
        app()
    except SystemExit as end:  # typer has told of a wrong usage; a signal ends without a word
        if end.code:
            explain = getattr(end.__context__, "format_message", None)
            reason = UsageError(explain()) if explain else InterruptedRun("interrupted")
            reason.exit_code = int(end.code)
            print_failure(reason, end)
        raise
    except (Exception, KeyboardInterrupt) as problem:
        failure = expected_failure(problem)
        if not isinstance(problem, BrokenPipeError):
            print_failure(failure, problem)
        if failure is None or isinstance(problem, OSError):  # stdout itself may be in trouble
            raise
        error(str(failure))
        sys.exit(failure.exit_code)
