"""What a run looks like on the screen: its plan, a live bar, a row per epoch, its result."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ...checks.sanity import Finding
from ...errors import InterruptedRun
from ...machine.memory_shortage import memory_explained
from ...machine.processes import lost_processes_explained
from ...metrics.best import in_words
from ...metrics.tally import Tally
from ...page import clock, loss_text, metric_text, percent
from ...runs.directory import RunDirectory
from ...training.fit import Supervision
from ...training.progress import EpochRecord
from ...training.session import Session
from ..console import notice, print_json, stderr, warn
from ..loading import evaluate_command
from ..process.joined import agreement_on_signals
from ..process.stop_signal import heard_signals
from .plan_words import describe_end, describe_plan
from .sanity_display import doubts, require_sane, show_first_loss, twins_of

REFRESH_SECONDS = 0.5
HEADER = (
    "epoch      train loss    + λR(W)  train acc    val loss    val acc"
    "         lr  images/s   time left"
)


def show_plan(session: Session, run: RunDirectory | None) -> None:
    """Say what will run, where and why, before it runs."""
    for name, fact in describe_plan(session, run).items():
        stderr.print(f"{name:>10}  {fact}", soft_wrap=True)
    for doubt in doubts(session):
        warn(doubt)
    files, size_px = session.batches.images.files, session.batches.images.image_shape[1]
    if files and session.progress.step == 0:
        for loss in files.doubts(session.config.data.reading(size_px)):
            notice(loss)


@contextmanager
def supervised(
    session: Session,
    run: RunDirectory,
    as_json: bool,
    findings: Sequence[Finding] = (),
    *,
    starts_anew: bool = False,
    data_dir: Path | None = None,
    data_root: Path | None = None,
) -> Iterator[Supervision]:
    """Show a run from its plan to its result; hear the signals that stop or save it.

    A lost process ends it with advice; every advice repeats where the images lie.
    """
    show_plan(session, run)
    named = {"--data-dir": data_dir, "--data-root": data_root}
    places = "".join(f" {option} {shlex.quote(str(p))}" for option, p in named.items() if p)
    resume = f"fit --resume {shlex.quote(str(run.path))}{places}"
    advice = f"; nothing is lost. Go on from its last checkpoint: {resume}"
    explained = lost_processes_explained(advice) if session.world.size > 1 else nullcontext()
    with explained, roomy(session):
        if session.progress.epoch == session.progress.position == 0:
            show_first_loss(session, starts_anew=starts_anew)
        was_complete = session.is_complete
        if was_complete:
            notice(describe_end(session))
        elif stderr.is_terminal:
            stderr.print(HEADER, style="bold", soft_wrap=True)
        try:
            with attended(session, run) as supervision:
                yield supervision
        except InterruptedRun as stop:
            stop.args = (f"{stop}{places}",)
            raise
    result = describe_result(session, run)
    if session.stopped_early and not was_complete:
        stderr.print(session.stopped_early, soft_wrap=True)
    data = session.config.data.moved_to(data_root)
    _show_result(result, evaluate_command(run.best_checkpoint, data, places))
    if as_json:
        print_json(result | in_json(session, findings))


@contextmanager
def attended(session: Session, run: RunDirectory) -> Iterator[Supervision]:
    """Hear the signals that stop or save a run, show a bar, and explain a lack of memory."""
    on_gpu = session.device.torch_device.type == "cuda"
    agree = [agreement_on_signals(session.world, on_gpu=on_gpu) for _ in ("stop", "save")]
    with roomy(session), heard_signals(*agree) as heard, live_bar() as bar:
        yield Supervision(
            run, partial(watch, session, bar), heard.should_stop, heard.should_save, warn
        )


def roomy(session: Session) -> AbstractContextManager[None]:
    """Explain a lack of memory within the block."""
    device, batch_size = session.device.torch_device, session.config.batch_size
    return memory_explained(device, batch_size, "--set batch_size")


def show_dry_run(session: Session, *, as_json: bool, findings: Sequence[Finding] = ()) -> None:
    """Say what would run; raise CheckFailedError where a check failed."""
    show_plan(session, run=None)
    if as_json:
        plan = {"dry_run": True, "plan": describe_plan(session, run=None)}
        print_json(plan | in_json(session, findings))
    require_sane(findings)


def in_json(session: Session, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return what is known before training: of the images, and by the checks where made."""
    sanity = {"sanity": [finding.to_json() for finding in findings]} if findings else {}
    return sanity | {
        "duplicates": [asdict(twins) for twins in twins_of(session)],
        "num_val_trained_on": len(session.val_images.named_in(session.seen)),
    }


def describe_result(session: Session, run: RunDirectory) -> dict[str, Any]:
    """Return what ``fit --json`` prints of a run that has ended."""
    progress = session.progress
    best = progress.best
    assert best, "an epoch is complete"
    return {
        "run_dir": str(run.path),
        "best_checkpoint": str(run.best_checkpoint),
        "last_checkpoint": str(run.last_checkpoint),
        "epochs": progress.epoch,
        "stopped_early": session.stopped_early is not None,
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
    by = result["best_by"]
    stderr.print(
        f"best validation {in_words(by)} {metric_text(result[f'val_{by}'], by)} "
        f"at epoch {result['best_epoch'] + 1}, {clock(result['seconds'])} of training\n"
        f"next: {next_command}",
        style="bold" if stderr.is_terminal else None,
        soft_wrap=True,
    )


def live_bar() -> Progress:
    """Make the bar over an epoch's minibatches; off a terminal it shows nothing."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[state]}"),
        console=stderr,
        transient=True,
        refresh_per_second=1 / REFRESH_SECONDS,  # a look takes milliseconds from training
        disable=not stderr.is_terminal,
    )


def watch(session: Session, bar: Progress, tallies: Iterable[Tally]) -> Iterator[Tally]:
    """Pass the tallies on; show one now and then: to read it, the device must be waited for."""
    progress, total = session.progress, len(session.batches.plan(session.progress.epoch))
    title = f"epoch {progress.epoch + 1}/{session.config.epochs}"
    task = bar.add_task(title, total=total, completed=progress.position, state="")
    looked = 0.0
    for tally in tallies:
        bar.advance(task)
        if stderr.is_terminal and monotonic() - looked > REFRESH_SECONDS:
            looked = monotonic()
            bar.update(task, state=f"loss {tally.loss:.3f}  acc {percent(tally.accuracy)}")
        yield tally
    bar.update(task, state="validating …")
    bar.remove_task(task)


def show_epoch(session: Session, record: EpochRecord) -> None:
    """Print the epoch's row, on a terminal as one of a table; time left by the last epochs."""
    epochs = session.config.epochs
    recent = [record["seconds"] for record in session.progress.records[-3:]]
    before, now = (session.pace.steps(record.epoch + n) for n in (1 - len(recent), 1))
    left = clock(sum(recent) * (session.pace.steps(epochs) - now) / (now - before))
    done, speed = f"{record.epoch + 1}/{epochs}", f"{record.images_per_second:,.0f}"
    losses = (record.train_loss, record.train_penalty, record.val_loss)
    loss, penalty, val_loss = map(loss_text, losses)
    accuracy, val_accuracy = percent(record.train_accuracy, 2), percent(record.val_accuracy, 2)
    if stderr.is_terminal:
        line = (
            f"{done:<9} {loss:>11} {penalty:>11} {accuracy:>10} {val_loss:>11} {val_accuracy:>10} "
            f"{record.lr:>10.3g} {speed:>9} {left:>11}"
        )
    else:
        line = (
            f"epoch {done}  train loss {loss} + {penalty}  train acc {accuracy}"
            f"  val loss {val_loss}  val acc {val_accuracy}"
            f"  lr {record.lr:.3g}  {speed} images/s  left {left}"
        )
    stderr.print(line, soft_wrap=True)
