"""Train, measure, save: one record per epoch."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from .acceleration.allocator import kept_memory
from .checkpoint import save_checkpoint
from .errors import ConfigError, DivergedError, InterruptedRun
from .figures.learning_curves import draw_learning_curves
from .figures.saving import save_figure
from .metrics import Tally
from .run_directory import RunDirectory
from .session import Session

# How many minibatches may pass before a dead run is noticed; each look waits for the device.
DIVERGENCE_CHECK_EVERY = 20

# Drawing the curves takes most of a second: less than a hundredth of the time between two.
CURVES_EVERY_SECONDS = 120

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


def fit(
    session: Session,
    run: RunDirectory | None = None,
    *,
    watch: Watch = iter,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[EpochRecord]:
    """Train to the config's last epoch; yield each epoch's record once it is measured and saved.

    ``watch`` wraps the minibatches' tallies (a progress bar). ``should_stop`` is asked after each
    minibatch; when it says so, the state is saved and InterruptedRun raised. Without ``run``
    nothing is written. Of several processes, all call this with the same ``run`` and get the same
    answers from ``should_stop``; the first alone writes. Raises DivergedError before a loss that is
    not finite can be saved.
    """
    saves = run if session.world.is_first else None
    if saves:
        begin_files(session, saves)
    with kept_memory():
        while session.epoch < session.config.epochs:
            record = train_and_measure(session, run, watch, should_stop)
            finish_epoch(session, record)
            if saves:
                save_progress(session, saves)
            yield record
            if should_stop() and session.epoch < session.config.epochs:
                raise interrupted(session, run)


def begin_files(session: Session, run: RunDirectory) -> None:
    """Make a run resumable from its first moment; drop metrics newer than its checkpoint."""
    if not run.last_checkpoint.exists():
        save_checkpoint(session.checkpoint(), run.last_checkpoint)
    run.save_metrics(session.records)


def train_and_measure(
    session: Session, run: RunDirectory | None, watch: Watch, should_stop: Callable[[], bool]
) -> EpochRecord:
    """Train to the end of the epoch and measure the validation images."""
    started, already = time.perf_counter(), session.partial.num_examples
    trained = train_one_epoch(session, run, watch, should_stop)
    train_seconds = time.perf_counter() - started
    validated = session.validate()
    if not math.isfinite(validated.loss):
        raise diverged(session, "validation loss")
    require_finite_weights(session)
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
        lr=learning_rate(session),
        train_loss=trained.loss,
        train_penalty=trained.penalty,
        train_total=trained.loss + trained.penalty,
        train_accuracy=trained.accuracy,
        val_loss=validated.loss,
        val_accuracy=validated.accuracy,
        seconds=seconds,
        images_per_second=num_examples / train_seconds,
    )


def learning_rate(session: Session) -> float:
    """Return ``optimizer.lr`` as the schedule had it at the last update, without any factors."""
    return session.config.optimizer.lr * session.schedule(max(session.step - 1, 0))


def train_one_epoch(
    session: Session, run: RunDirectory | None, watch: Watch, should_stop: Callable[[], bool]
) -> Tally:
    """Train to the end of the epoch and return its tally; ``session`` stays resumable throughout.

    The session moves on only with completed updates. A stop in the middle of an accumulated one
    saves nothing: the checkpoint before it stands, and the update starts again.
    """
    total, position = session.partial, session.position
    for tally in watch(explain_lone_example(session.train_rest_of_epoch())):
        total, position = total + tally, position + 1
        if session.batches.plan[position - 1].completes_update:
            session.partial, session.position = total, position
            session.step += 1
        last = position == len(session.batches.plan)
        looks = position % DIVERGENCE_CHECK_EVERY == 0 or last
        if looks and session.world.any(not total.is_finite()):
            raise diverged(session, "training loss")
        if should_stop() and not last:
            if run and position == session.position:
                require_finite_weights(session)
                session.collect_partial()
                if session.world.is_first:
                    save_checkpoint(session.checkpoint(), run.last_checkpoint)
                session.world.meet("the checkpoint is saved")
            raise interrupted(session, run)
    return total.over(session.world)


def explain_lone_example(tallies: Iterable[Tally]) -> Iterator[Tally]:
    """Turn batch norm's refusal of a single value into advice; ConfigError."""
    try:
        yield from tallies
    except ValueError as problem:
        if "more than 1 value per channel" not in str(problem):
            raise
        raise ConfigError(
            "batch_size: a minibatch of one image gives this network's batch norm a single value, "
            "which has no spread; use at least 2"
        ) from None


def finish_epoch(session: Session, record: EpochRecord) -> None:
    """Count the epoch as done."""
    session.records.append(asdict(record))
    session.epoch, session.position, session.partial = session.epoch + 1, 0, Tally.zero()


def save_progress(session: Session, run: RunDirectory) -> None:
    """Save the best (where it is) and the last checkpoint, the metrics and, now and then, curves.

    The best goes first: a run killed between the two repeats the epoch, and loses neither.
    """
    checkpoint = session.checkpoint()
    if best_epoch(session.records) == session.epoch - 1:
        save_checkpoint(checkpoint, run.best_checkpoint)
    save_checkpoint(checkpoint, run.last_checkpoint)
    run.save_metrics(session.records)
    if curves_are_due(session, run.learning_curves):
        save_curves(session, run)


def save_curves(session: Session, run: RunDirectory) -> None:
    """Draw loss, accuracy and rate over the epochs so far."""
    save_figure(draw_learning_curves(session.records, run.path.name), run.learning_curves)


def curves_are_due(session: Session, picture: Path) -> bool:
    """Say whether training has ended, or gone on for CURVES_EVERY_SECONDS without a picture."""
    if session.epoch == session.config.epochs:
        return True
    if picture.exists():
        return time.time() - picture.stat().st_mtime > CURVES_EVERY_SECONDS
    return sum(record["seconds"] for record in session.records) > CURVES_EVERY_SECONDS


def best_epoch(records: list[dict[str, float]]) -> int:
    """Return the epoch (from 0) with the highest validation accuracy; the earliest of equals."""
    accuracies = [record["val_accuracy"] for record in records]
    return accuracies.index(max(accuracies))


def require_finite_weights(session: Session) -> None:
    """Keep weights and running statistics that are not finite out of every checkpoint."""
    models = [session.model] + ([session.average.module] if session.average else [])
    values = [value for model in models for value in model.state_dict().values()]
    finite = all(bool(value.isfinite().all()) for value in values)
    if session.world.any(not finite):
        raise diverged(session, "state of the model")


def diverged(session: Session, what: str) -> DivergedError:
    """Describe where the run died and what usually helps."""
    return DivergedError(
        f"epoch {session.epoch + 1}, step {session.step}: the {what} is not finite at learning "
        f"rate {learning_rate(session):g}; the checkpoints of earlier epochs are untouched. "
        "Lower optimizer.lr or raise schedule.warmup_epochs"
    )


def interrupted(session: Session, run: RunDirectory | None) -> InterruptedRun:
    """Say where the run stands and how to go on."""
    if run is None:
        return InterruptedRun("stopped; nothing was saved")
    if session.records and session.world.is_first:
        save_curves(session, run)
    return InterruptedRun(
        f"stopped in epoch {session.epoch + 1} after {session.position} minibatches; all saved. "
        f"Go on with: cnn-train fit --resume {run.path}"
    )
