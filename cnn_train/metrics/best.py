"""Which epoch of a run is its best one."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar

Record = TypeVar("Record", bound=Mapping[str, float])
BestBy = Literal["accuracy", "loss", "balanced_accuracy", "macro_f1"]

RECORD_KEYS = frozenset({
    "epoch", "step", "lr", "train_loss", "train_penalty", "train_total", "train_accuracy",
    "val_loss", "val_accuracy", "seconds", "images_per_second",
})  # fmt: skip
"""What the record of an epoch has in every release."""

NO_EPOCH = -1
"""``best_epoch`` of a record while no checkpoint of an epoch's end is left."""


def in_words(by: BestBy) -> str:
    """Return the metric as it is shown."""
    return by.replace("_", " ").replace("f1", "F1")


def merit(record: Mapping[str, float], by: BestBy) -> tuple[float, float]:
    """Return what the best record has most of: validation metric, then minus validation loss.

    A record of an older release, which lacks the metric, is worse than any that has it.
    """
    low_loss = -record.get("val_loss", math.inf)
    return low_loss if by == "loss" else record.get(f"val_{by}", -math.inf), low_loss


def best_record(records: Sequence[Record]) -> Record | None:
    """Return the record that the last one names as the best so far; None where there is none.

    Older releases named none: theirs is the earliest of highest accuracy.
    """
    if not records or "best_epoch" in records[-1]:
        named = (record for record in records if record["epoch"] == records[-1]["best_epoch"])
        return next(named, None)
    return max(records, key=lambda record: record["val_accuracy"])
