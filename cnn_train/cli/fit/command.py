"""``cnn-train fit``: train a model from a config, or go on with a run."""

from pathlib import Path
from typing import Annotated

import typer

from ..completion import complete_configs, complete_runs
from ..options import (
    DataDirOption,
    DeviceOption,
    JsonOption,
    OfflineOption,
    RunRootOption,
    SetOption,
    VerifyDataOption,
)


def fit(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            help="YAML file, shipped name, or - for stdin.",
            autocompletion=complete_configs,
        ),
    ] = None,
    overrides: SetOption = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            metavar="auto|RUN|CKPT",
            autocompletion=complete_runs,
            help="Go on with this run, exactly. auto: with the newest run of this config, or from "
            "the start where there is none. RUN@STEP: only with --branch.",
        ),
    ] = None,
    branch: Annotated[
        str | None,
        typer.Option(
            "--branch",
            metavar="NAME",
            help="With --resume RUN@100: start a new run of this name from the state of update "
            "100 (or from RUN's last), with what --set changes. RUN stays as it is.",
        ),
    ] = None,
    allow_config_change: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-config-change",
            metavar="KEY",
            help="With --resume: this setting may differ from the run's, e.g. optimizer.lr; "
            "repeatable. What changed is recorded.",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            metavar="RUN|FILE",
            autocompletion=complete_runs,
            help="Start from the weights of this model, not anew; or of another program's file.",
        ),
    ] = None,
    new_head: Annotated[
        bool,
        typer.Option(
            "--new-head", help="With --weights: draw the last layer anew, for other classes."
        ),
    ] = False,
    device: DeviceOption = "auto",
    seed: Annotated[int | None, typer.Option("--seed", help="Short for --set seed=N.")] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds",
            min=1,
            metavar="N",
            help="Train N runs, with the seeds from the config's on; show their mean and spread.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the run; default: the config's name.")
    ] = None,
    run_root: RunRootOption = Path("runs"),
    data_dir: DataDirOption = None,
    data_root: Annotated[
        Path | None,
        typer.Option("--data-root", help="With --resume: where the images lie now, if they moved."),
    ] = None,
    offline: OfflineOption = False,
    verify_data: VerifyDataOption = False,
    limit_batches: Annotated[
        int | None,
        typer.Option(
            "--limit-batches", min=1, help="Train on only the first N minibatches of every epoch."
        ),
    ] = None,
    deterministic: Annotated[
        bool,
        typer.Option(
            "--deterministic",
            help="On a GPU: the same bits every time, more slowly. The CPU always gives them.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Build everything, say what would run, stop.")
    ] = False,
    sanity: Annotated[
        bool,
        typer.Option(
            "--sanity",
            help="Check a new run first: initial loss, gradients, λ, whether 20 images can be "
            "learned, and updates at its own rates. It warns and goes on; with --dry-run a failure "
            "is exit 1.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Train a model: cnn-train fit --config CONFIG [--set optimizer.lr=0.05]."""
    options = dict(locals())  # named as the fields of FitRequest
    del options["seeds"]
    from ...machine.device import flushed_denormals
    from ..process.joined import joined_processes
    from ..process.stop_signal import save_signal_harmless
    from .branching import branched
    from .resuming import trained
    from .seeds import fit_seeds
    from .starting import FitRequest
    from .training_display import show_epoch

    with flushed_denormals(), save_signal_harmless(), joined_processes() as world:
        request = FitRequest(world=world, **options)
        if seeds is not None:
            fit_seeds(request, seeds)
            return
        for session, record in trained(request) if branch is None else branched(request):
            show_epoch(session, record)
