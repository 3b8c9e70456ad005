"""Train, measure, save: one record per epoch."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass

from ..acceleration.allocator import kept_memory
from ..errors import InterruptedRun, refusals_explained
from ..metrics.tally import Tally
from ..runs.directory import RunDirectory
from .run_files import RunFiles
from .session import Session
from .update_guard import NotFiniteError

# How many minibatches may pass before a loss that no update has shown is noticed; each look waits
# for the device.
DIVERGENCE_CHECK_EVERY = 20

Watch = Callable[[Iterable[Tally]], Iterable[Tally]]


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch did. Accuracies are fractions in [0, 1]; ``epoch`` counts from 0.

    Training figures are means over the epoch while the weights moved, on augmented images;
    validation figures are of the weights at its end. ``train_total`` is the data loss
    ``train_loss`` plus the regularisation ``train_penalty``.
    """

    epoch: int
    step: int
    lr: float
    train_loss: float
    train_penalty: float
    train_total: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float
    images_per_second: float


@dataclass(frozen=True)
class Requests:
    """What may be asked of a run under way."""

    should_stop: Callable[[], bool]
    should_save: Callable[[bool], bool]


def fit(
    session: Session,
    run: RunDirectory | None = None,
    *,
    watch: Watch = iter,
    should_stop: Callable[[], bool] = lambda: False,
    should_save: Callable[[bool], bool] = lambda is_due: is_due,
) -> Iterator[EpochRecord]:
    """Train to the config's last epoch; yield each epoch's record once it is measured and saved.

    ``watch`` wraps the minibatches' tallies (a progress bar). ``should_stop`` is asked after each
    minibatch, and between those of a validation; when it says so, the state is saved and
    InterruptedRun raised. ``should_save`` is asked after each update, and told whether the clock
    calls for a save. Without ``run`` nothing is written. Of several processes, all call this with
    the same ``run`` and get the same answers; the first alone writes. Raises DivergedError before
    anything that is not finite can be saved.
    """
    requests = Requests(should_stop, should_save)
    files = RunFiles(session, run)
    files.begin()
    with kept_memory():
        while session.epoch < session.config.epochs:
            record = train_and_measure(session, files, watch, requests)
            finish_epoch(session, record)
            files.save_epoch()
            yield record
            if requests.should_stop() and session.epoch < session.config.epochs:
                raise interrupted(files)


def train_and_measure(
    session: Session, files: RunFiles, watch: Watch, requests: Requests
) -> EpochRecord:
    """Train to the end of the epoch and measure the validation images."""
    started, already = time.perf_counter(), session.partial.num_examples
    trained = train_one_epoch(session, files, watch, requests)
    train_seconds = time.perf_counter() - started
    validated = session.validate(requests.should_stop)
    if validated is None:
        raise saved_and_interrupted(files)
    if not math.isfinite(validated.loss):
        raise files.diverged("validation loss")
    files.require_finite_weights()
    seconds = time.perf_counter() - started
    num_examples = trained.num_examples - already
    return make_record(session, trained, validated, num_examples, train_seconds, seconds)


def make_record(
    session: Session,
    trained: Tally,
    validated: Tally,
    num_examples: int,
    train_seconds: float,
    seconds: float,
) -> EpochRecord:
    """Turn the tallies of an epoch into means; ``seconds`` include validation.

    ``num_examples`` were trained on in ``train_seconds``: fewer than the epoch's, if it was resumed
    in the middle.
    """
    return EpochRecord(
        epoch=session.epoch,
        step=session.step,
        lr=session.learning_rate(),
        train_loss=trained.loss,
        train_penalty=trained.penalty,
        train_total=trained.loss + trained.penalty,
        train_accuracy=trained.accuracy,
        val_loss=validated.loss,
        val_accuracy=validated.accuracy,
        seconds=seconds,
        images_per_second=num_examples / train_seconds,
    )


def train_one_epoch(session: Session, files: RunFiles, watch: Watch, requests: Requests) -> Tally:
    """Train to the end of the epoch and return its tally; ``session`` stays resumable throughout.

    The session moves on only with completed updates. A stop in the middle of an accumulated one
    saves nothing: the checkpoint before it stands, and the update starts again.
    """
    total, position, plan = session.partial, session.position, session.batches.plan
    for tally in watch(explained(session.train_rest_of_epoch(), files)):
        total, position = total + tally, position + 1
        if plan[position - 1].completes_update:
            session.partial, session.position = total, position
            session.step += 1
        last = position == len(plan)
        looks = position % DIVERGENCE_CHECK_EVERY == 0 or last
        if looks and session.world.any(not total.is_finite()):
            raise files.diverged("training loss")
        if last:
            continue
        if requests.should_stop():
            raise saved_and_interrupted(files, complete=position == session.position)
        if position == session.position and requests.should_save(files.clock.is_due(session.step)):
            files.save_within_epoch()
    return total.over(session.world)


def explained(tallies: Iterable[Tally], files: RunFiles) -> Iterator[Tally]:
    """Turn a minibatch's failure into advice: DivergedError, ConfigError, UsageError."""
    try:
        with refusals_explained():
            yield from tallies
    except NotFiniteError as problem:
        raise files.diverged(problem.what, problem) from None


def finish_epoch(session: Session, record: EpochRecord) -> None:
    """Count the epoch as done."""
    session.records.append(asdict(record))
    session.epoch, session.position, session.partial = session.epoch + 1, 0, Tally.zero()


def saved_and_interrupted(files: RunFiles, *, complete: bool = True) -> InterruptedRun:
    """Save the state within an epoch, unless an update is half done; say how to go on."""
    if complete:
        files.save_within_epoch()
        files.session.world.meet("the checkpoint is saved")
    return interrupted(files)


def interrupted(files: RunFiles) -> InterruptedRun:
    """Say where the run stands and how to go on."""
    if files.run is None:
        return InterruptedRun("stopped; nothing was saved")
    files.save_curves()
    return InterruptedRun(
        f"stopped in epoch {files.session.epoch + 1} after {files.session.position} minibatches; "
        f"all saved. Go on with: cnn-train fit --resume {files.run.path}"
    )
