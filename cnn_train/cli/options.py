"""Options that several commands share, each defined once, and how an option's number is read."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..errors import UsageError
from ..machine.atomic_file import check_writable
from .completion import complete_configs, complete_runs


def number(least: float | None = None) -> Callable[[object], float]:
    """Return what reads an option's number; it names a decimal comma, which Typer does not."""

    def read(given: object) -> float:
        text = str(given)
        if "," in text:
            raise typer.BadParameter(f"{text}: decimals take a point: {text.replace(',', '.')}")
        value = float(text)
        if least is not None and not value >= least:  # nan is not
            raise typer.BadParameter(f"{text}: take {least:g} or more")
        return value

    return read


def require_free(path: Path, force: bool, option: str = "") -> None:
    """Refuse early a path where no file can be written, and one of a file unless by ``force``.

    ``option``: what the path was given to.
    """
    given = f"{option} {path}".strip()
    if path.is_dir():
        raise UsageError(f"{given}: is a directory; name a file in it")
    if path.exists() and not force:
        raise UsageError(f"{given}: exists; name another file, or replace it with --force")
    check_writable(path)


Split = Literal["train", "val", "test"]

CheckpointArgument = Annotated[
    Path,
    typer.Argument(
        metavar="CHECKPOINT",
        help="A checkpoint, a run directory for its best, RUN@100 for its state after update 100, "
        "or pretrained:NAME.",
        autocompletion=complete_runs,
    ),
]
RunsArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="RUN...",
        help="Run directories, or their names below --run-root.",
        autocompletion=complete_runs,
    ),
]
OptionalRunArgument = Annotated[
    Path,
    typer.Argument(
        metavar="RUN",
        help="A run directory, or its name below --run-root.",
        autocompletion=complete_runs,
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")]
ConfigOption = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        help="YAML file, shipped name, or - for stdin.",
        autocompletion=complete_configs,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override one setting, e.g. optimizer.lr=0.05; repeatable, later wins.",
    ),
]
DeviceOption = Annotated[
    str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps; only auto falls back.")
]
DataDirOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Where datasets are kept. Default: $CNN_TRAIN_DATA, else the user's cache folder.",
    ),
]
DataRootOption = Annotated[
    Path | None,
    typer.Option("--data-root", help="Where the dataset's own images lie, if they moved."),
]
OfflineOption = Annotated[bool, typer.Option("--offline", help="Never download anything.")]
VerifyDataOption = Annotated[
    bool,
    typer.Option(
        "--verify-data",
        help="Read and check every image file again, whatever its size and time say.",
    ),
]
RunRootOption = Annotated[
    Path, typer.Option("--run-root", help="The folder that holds the run directories.")
]
SecondsOption = Annotated[
    float, typer.Option("--seconds", parser=number(least=0), help="Of training, for each curve.")
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do it without a question.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print exactly one JSON document on stdout.")
]
