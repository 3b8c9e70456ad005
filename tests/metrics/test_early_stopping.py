from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cnn_train.metrics.early_stopping import StopConfig


def records(values: list[float], key: str = "val_loss") -> list[dict[str, float]]:
    return [{"epoch": epoch, key: value} for epoch, value in enumerate(values)]


def stops_at(values: list[float], key: str = "val_loss", **settings: object) -> int | None:
    """Return the number of epochs after which a run stops early; None: it runs to its end."""
    stop = StopConfig.model_validate(settings)
    history = accumulate([one] for one in records(values, key))
    ends = (len(done) for done in history if stop.reason(done, len(values) + 1))
    return next(ends, None)


LOSSES = [0.9, 0.8, 0.85, 0.81, 0.7, 0.71, 0.72, 0.73]


@pytest.mark.parametrize(
    ("patience", "min_delta", "expected"),
    [(0, 0.0, None), (1, 0.0, 3), (2, 0.0, 4), (3, 0.0, 8), (4, 0.0, None), (3, 0.2, 4),
     (4, 0.15, None), (4, 0.25, 5), (2, 0.05, 4), (1, 1.0, 2)],
)  # fmt: skip
def test_a_run_stops_after_so_many_epochs_without_a_lower_loss(
    patience: int, min_delta: float, expected: int | None
) -> None:
    """Worked out by hand: 0.8 at epoch 2 and 0.7 at epoch 5 are the gains."""
    assert stops_at(LOSSES, patience=patience, min_delta=min_delta) == expected


def test_of_other_metrics_more_is_better() -> None:
    values = [0.5, 0.6, 0.6, 0.55, 0.61]
    for metric in ("accuracy", "balanced_accuracy", "macro_f1"):
        assert stops_at(values, f"val_{metric}", metric=metric, patience=2) == 4
        assert stops_at(values, f"val_{metric}", metric=metric, patience=3) is None


@given(st.lists(st.floats(0, 10), min_size=1, max_size=30), st.integers(1, 5), st.floats(0, 2))
def test_it_never_stops_sooner_than_its_patience_nor_with_more_patience(
    values: list[float], patience: int, min_delta: float
) -> None:
    less, more = (
        stops_at(values, patience=p, min_delta=min_delta) or len(values) + 1
        for p in (patience, patience + 1)
    )
    assert patience + 1 <= less <= more or less == len(values) + 1


def test_the_reason_names_the_epochs_from_one_and_the_setting() -> None:
    stop = StopConfig(patience=3, metric="macro_f1", min_delta=0.02)
    found = stop.reason(records([0.5, 0.6, 0.6, 0.61, 0.5], "val_macro_f1"), 30)
    assert found == (
        "stopped early at epoch 5 of 30: the validation macro F1 has not risen by more than 0.02 "
        "since epoch 2 (stop.patience 3)"
    )


def test_a_run_that_has_reached_its_last_epoch_has_not_stopped_early() -> None:
    assert StopConfig(patience=1).reason(records(LOSSES), len(LOSSES)) is None
    assert StopConfig(patience=1).reason([], 3) is None


def test_records_of_older_releases_without_the_metric_are_no_reason_to_stop() -> None:
    stop, old = StopConfig(patience=2, metric="macro_f1"), records([0.5] * 9, "val_loss")
    assert stop.reason(old, 99) is None
    assert stop.reason([*old, *records([0.5, 0.5, 0.5], "val_macro_f1")], 99) is not None


@pytest.mark.parametrize("settings", [{"patience": -1}, {"patience": 1.5}, {"min_delta": -0.1},
                                      {"metric": "luck"}])  # fmt: skip
def test_a_setting_out_of_range_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        StopConfig.model_validate(settings)
