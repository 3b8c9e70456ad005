"""``cnn-train sweep``: try settings, stop what is worse than most, keep the best."""

import shlex
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import ConfigError, DivergedError, InterruptedRun, ResourceError, UsageError
from .console import notice, warn
from .loading import load_settings
from .options import (
    ConfigOption,
    DataDirOption,
    DeviceOption,
    JsonOption,
    OfflineOption,
    RunRootOption,
    SetOption,
)
from .present import PictureOption, check_picture, present

if TYPE_CHECKING:
    from ..search.study import Claim, Study
    from .fit.starting import FitRequest

AWAY: dict[str, bool | set[str]] = {"data": {"root", "path"}, "checkpoint": True}
"""What may differ between the machines that share a sweep."""


def sweep(
    config: ConfigOption,
    space: Annotated[
        str, typer.Option("--space", metavar="FILE", help="YAML: what to try for which setting.")
    ],
    trials: Annotated[
        int,
        typer.Option("--trials", min=1, help="To try in all, but for a grid, which has its own."),
    ] = 20,
    sampler: Annotated[
        Literal["tpe", "random", "grid"],
        typer.Option("--sampler", help="tpe learns from earlier trials; grid tries everything."),
    ] = "tpe",
    prune: Annotated[
        bool, typer.Option(help="Stop a trial whose best epoch so far is below the others' median.")
    ] = True,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the sweep; default: the config's name.")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            "--storage", metavar="URL", help="A database for the study; default: a file beside it."
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the choices, not of runs.")] = 0,
    overrides: SetOption = None,
    device: DeviceOption = "auto",
    run_root: RunRootOption = Path("runs"),
    data_dir: DataDirOption = None,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
    out: PictureOption = None,
) -> None:
    """Search for good settings; the same command again, here or elsewhere, joins in and goes on."""
    from ..machine.device import flushed_denormals
    from ..runs.directory import check_name
    from ..search.opening import open_study
    from ..search.space import load_space
    from .display.sweep import sweep_page
    from .fit.starting import FitRequest
    from .process.stop_signal import save_signal_harmless

    check_picture(out)
    if "-" in (str(config), space):
        raise UsageError("sweep: give --config and --space as files, so that others can join in")
    settings = load_settings(config, overrides)
    wanted = load_space(space)
    for key, setting in wanted.settings.items():
        for value in setting.ends:
            load_settings(config, [*(overrides or []), f"{key}={value}"])
    name = config.stem if name is None else name
    check_name(name)
    folder = run_root / f"sweep-{name}"
    study = open_study(
        wanted,
        settings.model_dump(mode="json", exclude=AWAY),
        folder,
        storage=storage,
        sampler=sampler,
        num_trials=trials,
        prunes=prune,
        maximizes=settings.best_by != "loss",
        seed=seed,
    )
    request = FitRequest(
        config=config, overrides=overrides, device=device, run_root=folder, data_dir=data_dir,
        offline=offline, is_one_of_many=True,
    )  # fmt: skip
    with flushed_denormals(), save_signal_harmless():
        for claim in study.claims():
            try_settings(claim, request, settings.best_by)
    best = save_best(study, config, overrides)
    present(sweep_page(study, settings.best_by, best), as_json=as_json, out=out)


def try_settings(claim: "Claim", request: "FitRequest", by: str) -> None:
    """Train a trial to its end, or until it is not worth going on; record what came of it."""
    from ..metrics.best import best_record
    from ..page import metric_text
    from ..runs.directory import newest_run
    from .fit.resuming import trained

    name, settings = f"trial-{claim.number:03}", claim.settings()
    what = f"{name}: {', '.join(f'{key}={value}' for key, value in settings.items())}"
    notice(f"{what} (begun before, going on)" if claim.is_lost else what)
    request = replace(
        request,
        name=name,
        overrides=with_choices(request.overrides, settings),
        resume=Path("auto") if claim.is_lost else None,
    )
    try:
        with closing(trained(request)) as epochs:
            for session, record in epochs:
                value = vars(record)[f"val_{by}"]
                if claim.should_stop(record.epoch, value) and not session.is_complete:
                    claim.prune()
                    done = f"stopped after epoch {record.epoch + 1}"
                    notice(f"{name}: {metric_text(value, by)}; {done}")
                    return
    except InterruptedRun as stop:
        again = shlex.join(["cnn-train", *sys.argv[1:]])
        stop.args = (f"stopped in {name}; nothing is lost. Go on with: {again}",)
        raise
    except DivergedError as problem:
        warn(str(problem))
        claim.prune("training diverged")
        return
    except (ConfigError, ResourceError) as problem:
        claim.fail(str(problem))
        if isinstance(problem, ResourceError):
            raise
        warn(f"{name} cannot be trained: {problem}")
        return
    run = newest_run(request.run_root, name)
    best = best_record(run.load_metrics()) if run else None
    assert best, "the run is complete"
    claim.complete(best[f"val_{by}"])
    notice(f"{name}: {metric_text(best[f'val_{by}'], by)}")


def with_choices(overrides: list[str] | None, settings: dict[str, str]) -> list[str]:
    """Add a trial's settings to what is set for all."""
    return [*(overrides or []), *(f"{name}={value}" for name, value in settings.items())]


def save_best(study: "Study", config: Path, overrides: list[str] | None) -> Path | None:
    """Write the config of the best complete trial, and return where; None where there is none."""
    from ..config.explain import render_yaml
    from ..machine.atomic_file import write_atomically

    trials = study.trials()
    if not trials or trials[0].state != "complete":
        return None
    settings = load_settings(config, with_choices(overrides, trials[0].settings))
    settings = settings.model_copy(update={"data": settings.data.located()})
    path = study.folder / "best.yaml"
    write_atomically(path, render_yaml(settings).encode())
    return path
