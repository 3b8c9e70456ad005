import pytest
from pydantic import ValidationError

from cnn_train.metrics.checkpointing import CheckpointConfig


def kept(last: int, **settings: object) -> list[int]:
    steps = CheckpointConfig.model_validate(settings).kept_steps
    return sorted(step for step in steps if step <= last)


def test_a_log_history_keeps_one_two_five_of_each_power_of_ten() -> None:
    assert kept(1200, keep_history="log") == [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    assert CheckpointConfig(keep_history="log").keeps_end


def test_named_steps_stay_alone_or_beside_a_log_history() -> None:
    assert kept(10**9) == []
    assert kept(99, keep_steps=[30, 0, 30]) == [0, 30]
    assert kept(6, keep_steps=[3], keep_history="log") == [0, 1, 2, 3, 5]
    assert not CheckpointConfig(keep_steps=(3,)).keeps_end


@pytest.mark.parametrize("settings", [{"keep_steps": [-1]}, {"keep_history": "linear"}])
def test_a_history_of_no_sense_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CheckpointConfig.model_validate(settings)
