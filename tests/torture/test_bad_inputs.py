from collections.abc import Callable
from pathlib import Path

import pytest
from torture_campaign.bad_inputs import Attempt, all_attempts, config_attempt
from torture_campaign.campaign import Campaign
from torture_campaign.children import DEADLINE_SECONDS


def test_there_is_enough_of_everything(campaign: Campaign, tmp_path: Path) -> None:
    attempts = all_attempts(campaign, tmp_path)
    assert len(attempts) >= 120
    assert {attempt.exit_code for attempt in attempts} == {0, 2, 3}
    assert len({attempt.name for attempt in attempts}) == len(attempts)


def test_an_error_at_its_place_is_right_and_at_another_one_is_missing(
    campaign: Campaign, tmp_path: Path
) -> None:
    attempt = config_attempt(tmp_path, "misspelt section")
    attempt.run(campaign, DEADLINE_SECONDS)
    assert attempt.is_right and attempt.missing_texts == []
    attempt.texts = (*attempt.texts, "c.yaml:1:1: ")
    assert attempt.missing_texts == ["c.yaml:1:1: "]
    assert "expected exit 2, c.yaml:1:1: ; exit 2: error: " in attempt.complaint


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    return config_attempt(tmp_path, "misspelt section")


def test_a_traceback_is_never_right(sabotaged: Callable[..., Campaign], attempt: Attempt) -> None:
    attempt.run(sabotaged("stumble_over_configs"), DEADLINE_SECONDS)
    assert not attempt.is_right and not attempt.is_calm
    assert "expected exit 2" in attempt.complaint


def test_a_hang_is_never_right(sabotaged: Callable[..., Campaign], attempt: Attempt) -> None:
    attempt.run(sabotaged("sleep_first"), 0.2)
    assert attempt.ended is None and not attempt.is_right
    assert "still running" in attempt.complaint
