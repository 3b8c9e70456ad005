"""Train, measure, save: one record per epoch."""

import math
import shlex
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

from ..acceleration.allocator import kept_memory
from ..errors import InterruptedRun, refusals_explained
from ..metrics.statistics import balanced_accuracy, macro_f1
from ..metrics.tally import Tally
from ..runs.directory import RunDirectory
from .progress import EpochRecord
from .run_files import RunFiles
from .session import Session
from .update_guard import NotFiniteError

# Every so many minibatches the loss is checked, although no update has reported it; a check waits
# for the device.
DIVERGENCE_CHECK_EVERY = 20


@dataclass(frozen=True)
class Supervision:
    """Where a run is written, and the functions that watch it, stop it or have it saved.

    watch: wraps the minibatches' tallies, e.g. with a progress bar. should_stop: called after each
    minibatch of training and of validation. should_save: called after each update; its argument
    says whether a save is due. warn: tells of trouble that does not stop the run. Without ``run``
    nothing is written.
    """

    run: RunDirectory | None = None
    watch: Callable[[Iterable[Tally]], Iterable[Tally]] = iter
    should_stop: Callable[[], bool] = lambda: False
    should_save: Callable[[bool], bool] = lambda is_due: is_due
    warn: Callable[[str], object] = warnings.warn


UNSUPERVISED = Supervision()


def fit(session: Session, supervision: Supervision = UNSUPERVISED) -> Iterator[EpochRecord]:
    """Train to the config's last epoch, or to the one at which ``stop`` ends the run.

    Yields each epoch's record once it is measured and saved.
    Of several processes, all call this with the same run and get the same records; only the first
    writes. Raises InterruptedRun when stopped, after saving, and DivergedError before anything that
    is not finite can be saved.
    """
    files = RunFiles(session, supervision.run)
    files.begin()
    with kept_memory(), files.tracked(supervision.warn) as track:
        while not session.is_complete:
            record = train_and_measure(session, files, supervision)
            record = session.progress.complete_epoch(record, session.config.best_by)
            files.save_epoch()
            track(session.progress.records[-1])
            yield record
            if supervision.should_stop() and not session.is_complete:
                raise interrupted(files)


def train_and_measure(session: Session, files: RunFiles, supervision: Supervision) -> EpochRecord:
    """Train to the end of the epoch, measure the validation images and return the means of both.

    ``images_per_second`` counts the images trained on here: a resumed epoch has only the rest.
    """
    started, already = time.perf_counter(), session.progress.partial.num_examples
    trained = train_one_epoch(session, files, supervision)
    train_seconds = time.perf_counter() - started
    validated = session.validate(supervision.should_stop)
    if validated is None:
        raise saved_and_interrupted(files)
    if not math.isfinite(validated.loss):
        raise files.diverged("validation loss")
    files.require_finite_weights()
    return EpochRecord(
        epoch=session.progress.epoch,
        step=session.progress.step,
        lr=session.learning_rate(),
        train_loss=trained.loss,
        train_penalty=trained.penalty,
        train_total=trained.loss + trained.penalty,
        train_accuracy=trained.accuracy,
        val_loss=validated.loss,
        val_accuracy=validated.accuracy,
        seconds=time.perf_counter() - started,
        images_per_second=(trained.num_examples - already) / train_seconds,
        val_balanced_accuracy=balanced_accuracy(validated.counts_3K),
        val_macro_f1=macro_f1(validated.counts_3K),
        best_epoch=session.progress.epoch,
    )


def train_one_epoch(session: Session, files: RunFiles, supervision: Supervision) -> Tally:
    """Train to the end of the epoch and return its tally; ``session`` stays resumable throughout.

    A stop in the middle of an accumulated update saves nothing: the last checkpoint stays, and a
    resumed run starts that update again.
    """
    progress, plan = session.progress, session.batches.plan(session.progress.epoch)
    total, position = progress.partial, progress.position
    with closing(explained(session.train_rest_of_epoch(), files)) as tallies:
        for tally in supervision.watch(tallies):
            total, position = total + tally, position + 1
            if plan[position - 1].completes_update:
                progress.complete_update(position, total)
            last = position == len(plan)
            is_checked = position % DIVERGENCE_CHECK_EVERY == 0 or last
            if is_checked and session.world.any(not total.is_finite()):
                raise files.diverged("training loss")
            if last:
                continue
            if supervision.should_stop():
                raise saved_and_interrupted(files, complete=position == progress.position)
            if position == progress.position:
                asked = supervision.should_save(files.is_due())  # by all processes, each time
                if asked or files.is_to_stay():
                    files.save_within_epoch()
    return total.over(session.world)


def explained(tallies: Iterable[Tally], files: RunFiles) -> Generator[Tally]:
    """Turn a minibatch's failure into advice: DivergedError, ConfigError, UsageError."""
    try:
        with refusals_explained():
            yield from tallies
    except NotFiniteError as problem:
        raise files.diverged(problem.what, problem) from None


def saved_and_interrupted(files: RunFiles, *, complete: bool = True) -> InterruptedRun:
    """Save the state within an epoch, unless an update is half done; say how to go on."""
    if complete:
        files.save_within_epoch()
        files.session.world.meet("the checkpoint is saved")
        return interrupted(files)
    return interrupted(files, saved="the update under way starts again, all before it is saved")


def interrupted(files: RunFiles, saved: str = "all saved") -> InterruptedRun:
    """Say where the run stands and how to go on."""
    if files.run is None:
        return InterruptedRun("stopped; nothing was saved")
    files.save_curves()
    progress = files.session.progress
    return InterruptedRun(
        f"stopped in epoch {progress.epoch + 1} after {progress.position} minibatches; "
        f"{saved}. Go on with: cnn-train fit --resume {shlex.quote(str(files.run.path))}"
    )
