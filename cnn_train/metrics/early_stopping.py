"""End a run that gets no better: a function of its records, so that a resumed run decides alike."""

import math
from collections.abc import Mapping, Sequence

from pydantic import Field

from ..config.base import Config
from ..errors import counted
from .best import BestBy, in_words, merit


class StopConfig(Config):
    """Settings of when a run ends before its last epoch."""

    patience: int = Field(
        default=0,
        ge=0,
        description="epochs in a row without a better validation metric that end the run; 0: never",
    )
    metric: BestBy = Field(
        default="loss", description="the metric: loss, accuracy, balanced_accuracy or macro_f1"
    )
    min_delta: float = Field(
        default=0.0, ge=0, description="how much more than this the metric must gain to be better"
    )

    def warnings(self, epochs: int) -> list[str]:
        """Name what is set without effect in a run of so many epochs."""
        warnings = [*self.without_effect("stop", "patience", "metric", "min_delta")]
        if self.patience and self.patience >= epochs - 1:  # the first epoch is always better
            warnings.append(
                f"stop.patience {self.patience}: training lasts {counted(epochs, 'epoch')}, so "
                "it never stops early"
            )
        return warnings

    def last_gain(self, records: Sequence[Mapping[str, float]]) -> int:
        """Return the place of the last record that was better than all before it; -1: none yet.

        A record of an older release that lacks the metric says nothing: it counts as better.
        """
        best, place = -math.inf, -1
        for i, record in enumerate(records):
            value, _ = merit(record, self.metric)
            if value > best + self.min_delta or value == -math.inf:
                best, place = value, i
        return place

    def reason(self, records: Sequence[Mapping[str, float]], epochs: int) -> str | None:
        """Say why a run with these completed epochs has stopped early; None where it has not."""
        gain, done = self.last_gain(records), len(records)
        if not self.patience or done >= epochs or done - 1 - gain < self.patience:
            return None
        what, better = in_words(self.metric), "fallen" if self.metric == "loss" else "risen"
        by = f" by more than {self.min_delta:g}" if self.min_delta else ""
        return (
            f"stopped early at epoch {done} of {epochs}: the validation {what} has not "
            f"{better}{by} since epoch {gain + 1} (stop.patience {self.patience})"
        )
