"""``cnn-train fit --seeds N``: the same config under several seeds, and what chance does to it."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from ...errors import UsageError
from ...metrics.statistics import mean_of_runs
from ...page import Block, Page, clock, loss_text, numbers, percent, texts
from ...runs.directory import runs_named, with_root
from ...runs.listing import ListedRun
from ...runs.summary import read_run
from ..console import notice
from ..present import present
from .resuming import go_on
from .starting import FitRequest, start
from .training_display import show_epoch


def fit_seeds(request: FitRequest, num_seeds: int) -> None:
    """Train a run for each seed from the config's on; show each result, their mean and spread.

    With ``--resume auto``, complete runs are kept and a stopped one is gone on with. Raises
    UsageError for options that are about one run.
    """
    is_about_one = request.dry_run or request.branch is not None
    if request.config is None or is_about_one or str(request.resume or "auto") != "auto":
        raise UsageError(
            "--seeds goes with --config; with --resume auto, but without --dry-run and --branch"
        )
    if request.world.size > 1:
        raise UsageError("--seeds trains one run after the other; start it as one process")
    first = request.load_settings().seed
    seeds = range(first, first + num_seeds)
    for seed in seeds:
        known = find_run(request, seed) if request.resume else None
        notice(f"seed {seed}: {f'going on with {known.run.path}' if known else 'a new run'}")
        one = replace(request, seed=seed, as_json=False)
        for session, record in go_on(one, known.run.path) if known else start(one):
            show_epoch(session, record)
    runs = [run for seed in seeds if (run := find_run(request, seed))]
    present(seeds_page(runs, request.run_name, request.run_root), as_json=request.as_json)


def find_run(request: FitRequest, seed: int) -> ListedRun | None:
    """Return the newest run of the request's name and this seed that can go on."""
    alike = runs_named(request.run_root, request.run_name)
    listed = (ListedRun(run, *read_run(run)) for run in alike)
    return next((one for one in listed if one.summary.seed == seed), None)


def seeds_page(runs: Sequence[ListedRun], name: str, run_root: Path) -> Page:
    """Show a row per run, then mean, sample standard deviation and interval of each metric."""
    rows = tuple(
        (
            run.summary.run_dir,
            str(run.summary.seed),
            percent(run.summary.val_accuracy, 2),
            loss_text(run.summary.val_loss or 0.0),
            clock(run.summary.seconds),
        )
        for run in runs
    )
    results = {
        metric: mean_of_runs([getattr(run.summary, metric) for run in runs])
        for metric in ("val_accuracy", "val_loss", "seconds")
    }
    accuracy = results["val_accuracy"]
    spread = ""
    if accuracy.sd is not None and accuracy.interval is not None:
        low, high = (100 * bound for bound in accuracy.interval)
        spread = (
            f" ± {100 * accuracy.sd:.2f} (sd), 95 % interval of the mean {low:.2f} to {high:.2f} %"
        )
    listing = with_root("cnn-train runs --group-by name", run_root)
    table = Block(
        columns=(*texts("run"), *numbers("seed", "val acc", "val loss", "time")),
        rows=rows,
        notes=(
            f"validation accuracy of {len(runs)} runs: {percent(accuracy.mean, 2)}{spread}",
            f"as one row: {listing}",
        ),
    )
    document = {
        "name": name,
        "n": len(runs),
        "runs": [vars(run.summary) for run in runs],
        **{metric: asdict(result) for metric, result in results.items()},
    }
    return Page((table,), document)
