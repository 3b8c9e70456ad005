"""How far a run has come: its counters and records, which a checkpoint saves and restores."""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..checkpoints.checkpoint import Checkpoint
from ..machine.processes import World
from ..metrics.best import BestBy, best_record, merit
from ..metrics.tally import Tally


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch did. Accuracies are fractions in [0, 1]; ``epoch`` counts from 0.

    Training figures are means over the epoch while the weights moved, on the augmented images that
    it trained on; validation figures are of the weights at its end. ``train_total`` is the data
    loss ``train_loss`` plus the regularisation ``train_penalty``. ``best_epoch``: the best so far.
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
    val_balanced_accuracy: float
    val_macro_f1: float
    best_epoch: int


@dataclass
class Progress:
    """The counters of a run. They change only with completed updates and completed epochs.

    epoch: completed epochs. position: minibatches done in the epoch under way, up to the last
    update. step: updates so far. schedule_step: updates so far, had the settings always been those
    of now. partial: this process's tally of those minibatches. records: one per completed epoch.
    config_changes: what was changed on the way, each with its step.
    """

    epoch: int = 0
    position: int = 0
    step: int = 0
    partial: Tally = field(default_factory=Tally.zero)
    records: list[dict[str, float]] = field(default_factory=list)
    config_changes: list[dict[str, Any]] = field(default_factory=list)
    schedule_step: int = 0

    @classmethod
    def restored(cls, checkpoint: Checkpoint, world: World) -> "Progress":
        """Restore the counters of ``checkpoint``; the first process takes its partial tally."""
        partial = Tally(**checkpoint.partial_tally) if world.is_first else Tally.zero()
        return cls(
            checkpoint.epoch,
            checkpoint.position,
            checkpoint.step,
            partial,
            list(checkpoint.records),
            list(checkpoint.config_changes),
        )

    def saved(self, partial: Tally | None = None) -> dict[str, Any]:
        """Return these counters as a checkpoint's fields; ``partial`` replaces the own tally."""
        partial = partial or self.partial
        return {
            "epoch": self.epoch,
            "position": self.position,
            "step": self.step,
            "partial_tally": {
                name: value for name, value in vars(partial).items() if name != "counts_3K"
            },
            "records": list(self.records),
            "config_changes": list(self.config_changes),
        }

    def complete_update(self, position: int, partial: Tally) -> None:
        """Count one more update, made after ``position`` minibatches with this tally."""
        self.position, self.partial, self.step = position, partial, self.step + 1
        self.schedule_step += 1

    def complete_epoch(self, record: EpochRecord, by: BestBy) -> EpochRecord:
        """Count the epoch as done; return its record, which names the best epoch so far."""
        best = self.best
        if best and merit(best, by) >= merit(asdict(record), by):
            record = replace(record, best_epoch=int(best["epoch"]))
        self.records.append(asdict(record))
        self.epoch, self.position, self.partial = self.epoch + 1, 0, Tally.zero()
        return record

    def set_best(self, epoch: int) -> None:
        """Make another epoch the best so far, where there is any."""
        if self.records and not (self.best and self.best["epoch"] == epoch):
            self.records[-1] = self.records[-1] | {"best_epoch": epoch}

    @property
    def best(self) -> dict[str, float] | None:
        """The record of the best epoch; None before the first."""
        return best_record(self.records)
