"""What a run looks like on the screen: its plan, a live bar, a row per epoch, its result."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from functools import partial
from math import floor
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ...errors import InterruptedRun
from ...machine.processes import lost_processes_explained
from ...page import clock
from ..console import notice, print_json, stderr, warn
from ..loading import evaluate_command
from ..process.joined import agreement_on_signals
from ..process.stop_signal import heard_signals
from .sanity_display import require_sane, show_first_loss

if TYPE_CHECKING:
    from ...checks.sanity import Finding
    from ...data.twins import Twins
    from ...metrics.tally import Tally
    from ...runs.directory import RunDirectory
    from ...training.fit import Supervision
    from ...training.progress import EpochRecord
    from ...training.session import Session

REFRESH_SECONDS = 0.5
FEW_IMAGES = 50  # the 95 % interval of an accuracy on fewer is up to ± 14 points or wider
LEAST_AVERAGES = 3  # after so many lengths of the average, e⁻³ = 5 % of the first weights are left
HEADER = (
    "epoch      train loss    + λR(W)  train acc    val loss    val acc"
    "         lr  images/s   time left"
)


def show_plan(session: "Session", run: "RunDirectory | None") -> None:
    """Say what will run, where and why, before it runs."""
    for name, fact in describe_plan(session, run).items():
        stderr.print(f"{name:>10}  {fact}", markup=False, soft_wrap=True)
    for doubt in doubts(session):
        warn(doubt)
    files, size_px = session.batches.images.files, session.batches.images.image_shape[1]
    if files and session.progress.step == 0:
        for loss in files.doubts(session.config.data.reading(size_px)):
            notice(loss)


def twins_of(session: "Session") -> "Iterable[Twins]":
    """Find the images that a run has twice."""
    from ...data.twins import find_twins

    return find_twins({"training": session.batches.images, "validation": session.val_images})


def doubts(session: "Session") -> Iterator[str]:
    """Yield what about the images and their minibatches may not be as the user thinks."""
    from ...data.twins import describe_seen

    yield from map(str, twins_of(session))
    yield from describe_seen(session.val_images, session.seen, "validation")
    if len(session.val_images) < FEW_IMAGES:
        yield (
            f"the best epoch will be chosen on {len(session.val_images)} validation images; "
            "raise data.val_fraction, or trust the choice little"
        )
    sizes = [piece.stop - piece.start for piece in session.batches.plan]
    if sizes[-1] > session.config.batch_size:
        yield (
            f"the last minibatch takes {sizes[-1]:,} images, one more than batch_size: batch "
            "statistics of one image would say nothing"
        )
    updates, decay = session.config.epochs * session.updates_per_epoch, session.config.ema_decay
    if decay and updates * (1 - decay) < LEAST_AVERAGES:
        yield (
            f"ema_decay {decay:g} averages over about {1 / (1 - decay):,.0f} updates and the run "
            f"makes {updates:,}: its warm-up will average about the last tenth of them instead; "
            f"take at most {floor(max(1 - LEAST_AVERAGES / updates, 0) * 1e6) / 1e6:g}, 0 for none"
        )
    if 1 in sizes and any("BatchNorm" in type(part).__name__ for part in session.model.modules()):
        yield (
            "batch norm sees one image at a time, and evaluation will use statistics that it never "
            "trained with; raise batch_size"
        )


def describe_plan(session: "Session", run: "RunDirectory | None") -> dict[str, str]:
    """Put what will run, where and why, into words."""
    config, plan = session.config, session.batches.plan
    num_parameters = sum(parameter.numel() for parameter in session.model.parameters())
    num_train, num_val = len(session.batches.images), len(session.val_images)
    updates = session.updates_per_epoch
    files, (_, height, width) = session.batches.images.files, session.batches.images.image_shape
    regularization = config.regularization
    strength = getattr(regularization, "strength", None)
    shrinks = regularization.kind + (f" {strength:g}" if strength is not None else "")
    facts = {
        "device": f"{session.device.torch_device} ({session.device.reason})",
        "precision": f"{session.precision.name} ({session.precision.reason})",
        "data": f"{config.data.name}: {num_train:,} training and {num_val:,} validation images, "
        f"{len(session.batches.images.class_names)} classes, "
        f"{' × '.join(map(str, session.batches.images.image_shape))}",
        **({"files": f"{files.sizes} → {width}×{height} (image_size)"} if files else {}),
        "model": f"{config.model.name}: {num_parameters:,} parameters",
        "loss": f"{config.loss.name}, regularisation {shrinks}",
        "optimizer": f"{config.optimizer.name}, lr {config.optimizer.lr:g}, "
        f"schedule {config.schedule.name}",
        "steps": f"{config.epochs} epochs × {updates:,} updates of "
        f"{config.batch_size if updates > 1 else plan[-1].stop:,} images",
        "run": str(run.path) if run else "nothing is written (dry run)",
    }
    if session.world.size > 1:
        facts["processes"] = describe_processes(session)
    if session.progress.step:
        facts["resumed"] = (
            f"after {session.progress.epoch} epochs and {session.progress.position} minibatches, "
            f"{session.progress.step:,} updates"
        )
    return facts


def describe_processes(session: "Session") -> str:
    """Say how many share a minibatch, over what, and how many images each of them takes."""
    from ...training.data_parallel import backend_of

    size, plan = session.world.size, session.batches.plan
    least, rest = divmod(plan[0].stop - plan[0].start, size)
    images = f"{least} or {least + 1}" if rest else str(least)
    statistics = "" if not session.config.sync_batch_norm else ", batch norm synchronised"
    return f"{size} ({backend_of(session.device)}), {images} images each{statistics}"


@contextmanager
def supervised(
    session: "Session",
    run: "RunDirectory",
    as_json: bool,
    findings: "Sequence[Finding]" = (),
    *,
    starts_anew: bool = False,
    data_dir: Path | None = None,
    data_root: Path | None = None,
) -> "Iterator[Supervision]":
    """Show a run from its plan to its result; hear the signals that stop or save it.

    A lost process ends it with advice; every advice repeats where the images lie.
    """
    from ...machine.memory_shortage import memory_explained
    from ...training.fit import Supervision

    show_plan(session, run)
    device, world = session.device.torch_device, session.world
    named = {"--data-dir": data_dir, "--data-root": data_root}
    places = "".join(f" {option} {shlex.quote(str(p))}" for option, p in named.items() if p)
    resume = f"fit --resume {shlex.quote(str(run.path))}{places}"
    advice = f"; nothing is lost. Go on from its last checkpoint: {resume}"
    explained = lost_processes_explained(advice) if world.size > 1 else nullcontext()
    agree = [agreement_on_signals(world, on_gpu=device.type == "cuda") for _ in ("stop", "save")]
    with explained, memory_explained(device, session.config.batch_size, "--set batch_size"):
        if session.progress.epoch == session.progress.position == 0:
            show_first_loss(session, starts_anew=starts_anew)
        if session.progress.epoch >= session.config.epochs:
            notice(f"all {session.config.epochs} epochs are done; nothing to do")
        elif stderr.is_terminal:
            stderr.print(HEADER, style="bold", soft_wrap=True)
        try:
            with heard_signals(*agree) as heard, live_bar() as bar:
                yield Supervision(
                    run, partial(watch, session, bar), heard.should_stop, heard.should_save
                )
        except InterruptedRun as stop:
            stop.args = (f"{stop}{places}",)
            raise
    result = describe_result(session, run)
    data = session.config.data.moved_to(data_root)
    _show_result(result, evaluate_command(run.best_checkpoint, data, places))
    if as_json:
        print_json(result | in_json(session, findings))


def show_dry_run(session: "Session", *, as_json: bool, findings: "Sequence[Finding]" = ()) -> None:
    """Say what would run; raise CheckFailedError where a check failed."""
    show_plan(session, run=None)
    if as_json:
        plan = {"dry_run": True, "plan": describe_plan(session, run=None)}
        print_json(plan | in_json(session, findings))
    require_sane(findings)


def in_json(session: "Session", findings: "Sequence[Finding]") -> dict[str, Any]:
    """Return what is known before training: of the images, and by the checks where made."""
    sanity = {"sanity": [finding.to_json() for finding in findings]} if findings else {}
    return sanity | {
        "duplicates": [asdict(twins) for twins in twins_of(session)],
        "num_val_trained_on": len(session.val_images.named_in(session.seen)),
    }


def describe_result(session: "Session", run: "RunDirectory") -> dict[str, Any]:
    """Return what ``fit --json`` prints of a run that has ended."""
    progress = session.progress
    best = progress.best
    assert best, "an epoch is complete"
    return {
        "run_dir": str(run.path),
        "best_checkpoint": str(run.best_checkpoint),
        "last_checkpoint": str(run.last_checkpoint),
        "epochs": progress.epoch,
        "best_by": session.config.best_by,
        "best_epoch": int(best["epoch"]),
        "val_accuracy": best["val_accuracy"],
        "val_loss": best["val_loss"],
        "val_balanced_accuracy": best.get("val_balanced_accuracy"),
        "val_macro_f1": best.get("val_macro_f1"),
        "train_accuracy": best["train_accuracy"],
        "seconds": sum(record["seconds"] for record in progress.records),
    }


def _show_result(result: dict[str, Any], next_command: str) -> None:
    by, value = result["best_by"], result[f"val_{result['best_by']}"]
    shown = number(value) if by == "loss" else f"{100 * value:.2f} %"
    stderr.print(
        f"best validation {by.replace('_', ' ').replace('f1', 'F1')} {shown} "
        f"at epoch {result['best_epoch'] + 1}, {clock(result['seconds'])} of training\n"
        f"next: {next_command}",
        style="bold" if stderr.is_terminal else None,
        markup=False,
        soft_wrap=True,
    )


def number(value: float) -> str:
    """Write a loss with four decimals, or in powers of ten where they would say nothing."""
    return f"{value:.4f}" if value < 1e5 else f"{value:.3e}"


def live_bar() -> Progress:
    """Make the bar over an epoch's minibatches; off a terminal it shows nothing."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[state]}"),
        console=stderr,
        transient=True,
        refresh_per_second=1 / REFRESH_SECONDS,  # a look takes milliseconds from training
        disable=not stderr.is_terminal,
    )


def watch(session: "Session", bar: Progress, tallies: "Iterable[Tally]") -> "Iterator[Tally]":
    """Pass the tallies on; show one now and then: to read it, the device must be waited for."""
    progress, total = session.progress, len(session.batches.plan)
    title = f"epoch {progress.epoch + 1}/{session.config.epochs}"
    task = bar.add_task(title, total=total, completed=progress.position, state="")
    looked = 0.0
    for tally in tallies:
        bar.advance(task)
        if stderr.is_terminal and monotonic() - looked > REFRESH_SECONDS:
            looked = monotonic()
            bar.update(task, state=f"loss {tally.loss:.3f}  acc {100 * tally.accuracy:.1f} %")
        yield tally
    bar.update(task, state="validating …")
    bar.remove_task(task)


def show_epoch(session: "Session", record: "EpochRecord") -> None:
    """Print the epoch's row, on a terminal as one of a table; time left by the last epochs."""
    epochs = session.config.epochs
    recent = [record["seconds"] for record in session.progress.records[-3:]]
    left = clock((epochs - record.epoch - 1) * sum(recent) / len(recent))
    done = f"{record.epoch + 1}/{epochs}"
    if stderr.is_terminal:
        line = (
            f"{done:<9} {number(record.train_loss):>11} {number(record.train_penalty):>11} "
            f"{100 * record.train_accuracy:>8.2f} % {number(record.val_loss):>11} "
            f"{100 * record.val_accuracy:>8.2f} % {record.lr:>10.3g} "
            f"{record.images_per_second:>9,.0f} {left:>11}"
        )
    else:
        line = (
            f"epoch {done}  train loss {number(record.train_loss)}"
            f" + {number(record.train_penalty)}  train acc {100 * record.train_accuracy:.2f} %"
            f"  val loss {number(record.val_loss)}  val acc {100 * record.val_accuracy:.2f} %"
            f"  lr {record.lr:.3g}  {record.images_per_second:,.0f} images/s  left {left}"
        )
    stderr.print(line, markup=False, soft_wrap=True)
