"""What a run writes while it trains: states, metrics, curves, and why it diverged."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from ..errors import DivergedError
from ..machine.atomic_file import remove_leftovers, save_json
from ..metrics.tally import Tally
from ..metrics.trackers import Subject, tracked
from ..runs.branch import departure
from ..runs.directory import RunDirectory
from ..runs.states import require_room, save_state
from .session import Session
from .update_guard import NotFiniteError

# Drawing the curves takes most of a second, less than 1 % of this.
CURVES_EVERY_SECONDS = 120


class RunFiles:
    """Writes the files of one run: nothing without a run, and only in the first process.

    Every method must be called by all processes.
    """

    def __init__(self, session: Session, run: RunDirectory | None) -> None:
        self.session = session
        self.run = run
        self.written = run if session.world.is_first else None
        self._saved_at = time.monotonic()

    def begin(self) -> None:
        """Make the run resumable from the start; remove what a killed or diverged run has left."""
        if not self.written:
            return
        run, progress, config = self.written, self.session.progress, self.session.config
        for folder in (run.path, run.kept(0).parent):
            remove_leftovers(folder)
        if not self.session.is_complete:
            run.divergence.unlink(missing_ok=True)
            if not run.last_checkpoint.exists():
                self._save(is_best=False)
            end, due = self.session.pace.steps(config.epochs), config.checkpoint
            coming = sum(progress.step < step <= end for step in due.kept_steps)
            require_room(run, due.keep + coming, is_fresh=progress.step == 0)
        run.save_metrics(progress.records)

    def is_due(self) -> bool:
        """Say whether the epoch under way is to be saved, by its updates or by the seconds."""
        due = self.session.config.checkpoint
        if due.every_steps and self.session.progress.step % due.every_steps == 0:
            return True
        return due.every_seconds > 0 and time.monotonic() - self._saved_at >= due.every_seconds

    def is_to_stay(self) -> bool:
        """Say whether the state at the last update stays; it is the same in every try of a run."""
        return self.session.progress.step in self.session.config.checkpoint.kept_steps

    def save_within_epoch(self) -> None:
        """Save the state at the last update; the epoch goes on or stops there."""
        if not self.run:
            return
        self.require_finite_weights()
        self.session.gather_losses()
        self._save(self.session.progress.partial.over(self.session.world), is_best=False)

    def save_epoch(self) -> None:
        """Save the state at an epoch's end where it is due or the best; metrics and curves."""
        if not self.run:
            return
        progress, config = self.session.progress, self.session.config
        epoch, is_best = progress.epoch, progress.best is progress.records[-1]
        is_due = epoch % config.checkpoint.every_epochs == 0 or self.is_to_stay()
        if is_best or is_due or self.session.is_complete:
            self._save(is_best=is_best)
        if self.written:
            self.written.save_metrics(progress.records)
            if self._curves_are_due(self.written):
                self.save_curves()

    def tracked(
        self, warn: Callable[[str], object]
    ) -> AbstractContextManager[Callable[[Mapping[str, float]], None]]:
        """Send records to the config's trackers too, in the first process, while there are any."""
        config, subject = self.session.config, None
        if self.written and not self.session.is_complete:
            settings = config.model_dump(mode="json")
            subject = Subject(
                self.written.path, settings, self.session.progress.epoch, config.logging.project
            )
        return tracked(config.logging, subject, warn)

    def save_curves(self) -> None:
        """Draw loss, accuracy and rate over the epochs so far."""
        records = self.session.progress.records
        if not (self.written and records):
            return
        from ..figures.learning_curves import draw_learning_curves  # whoever draws nothing, and the
        from ..figures.saving import save_figure  # first minibatch, need not wait for matplotlib

        left_at = departure(self.written)
        figure = draw_learning_curves(records, self.written.path.name, left_at)
        save_figure(figure, self.written.learning_curves)

    def require_finite_weights(self) -> None:
        """Keep weights and running statistics that are not finite out of every checkpoint."""
        session = self.session
        models = [session.model] + ([session.average.module] if session.average else [])
        values = [value for model in models for value in model.state_dict().values()]
        finite = all(bool(value.isfinite().all()) for value in values)
        if session.world.any(not finite):
            raise self.diverged("state of the model")

    def diverged(self, what: str, error: NotFiniteError | None = None) -> DivergedError:
        """Say where the run diverged and what may help, in the error and in diverged.json."""
        session, progress = self.session, self.session.progress
        updates_ago = error.updates_ago if error else 0
        pieces = session.config.accumulate
        step, position = progress.step - updates_ago, progress.position - updates_ago * pieces
        rate = session.learning_rate()
        if self.written:
            indices = session.batches.examples_of(progress.epoch, position, pieces)
            report: dict[str, Any] = {
                "what": f"the {what} is not finite",
                "epoch": progress.epoch,
                "step": step,
                "position": position,
                "learning_rate": rate,
                "gradient_norm": str(error.gradient_norm) if error else None,
                "example_indices": indices,
                "example_names": [session.batches.images.names[index] for index in indices],
                "last_checkpoint": str(self.written.last_checkpoint),
                "advice": advise(session),
            }
            save_json(self.written.divergence, report)
        written = f"; see {self.run.divergence}" if self.run else ""
        return DivergedError(
            f"epoch {progress.epoch + 1}, step {step}: the {what} is not finite at learning rate "
            f"{rate:g}; the checkpoints before it are untouched{written}. {advise(session)}"
        )

    def _save(self, partial: Tally | None = None, *, is_best: bool) -> None:
        """Save in the first process; between epochs there is no ``partial`` tally to gather."""
        if self.written:
            session, due = self.session, self.session.config.checkpoint
            stays = self.is_to_stay() or (due.keeps_end and session.is_complete)
            state = session.checkpoint(partial)
            save_state(state, self.written, due.keep, is_best=is_best, stays=stays)
        self._saved_at = time.monotonic()

    def _curves_are_due(self, run: RunDirectory) -> bool:
        """Say whether training has ended, or the picture is older than CURVES_EVERY_SECONDS."""
        if self.session.is_complete:
            return True
        if run.learning_curves.exists():
            return time.time() - run.learning_curves.stat().st_mtime > CURVES_EVERY_SECONDS
        seconds = sum(record["seconds"] for record in self.session.progress.records)
        return seconds > CURVES_EVERY_SECONDS


def advise(session: Session) -> str:
    """Name the settings that may be too large: λ too, where there is one."""
    strength = getattr(session.config.regularization, "strength", 0.0)
    price = f" or regularization.strength (λ, now {strength:g})" if strength else ""
    return (
        f"Lower optimizer.lr{price}, raise schedule.warmup_epochs, or shorten gradients by "
        "clip_grad_norm"
    )
