from collections.abc import Callable
from pathlib import Path

import pytest
from torture_campaign import bad_inputs
from torture_campaign.bad_configs import BAD_CONFIGS, BadConfig
from torture_campaign.bad_inputs import all_attempts, config_attempts, try_attempt, try_locked
from torture_campaign.campaign import Campaign

WRONG = BadConfig("misspelt", b"epochs: 3\noptimiser: {}\n", ((2, 1),))


def test_there_is_enough_of_everything(campaign: Campaign, tmp_path: Path) -> None:
    attempts = all_attempts(campaign, tmp_path)
    assert len(attempts) >= 60
    assert {attempt.exit_code for attempt in attempts} >= {0, 2, 3, 4}
    assert len({attempt.name for attempt in attempts}) == len(attempts)
    assert sum(len(config.places) for config in BAD_CONFIGS) >= 40


def test_an_error_at_its_place_is_right_and_at_another_one_is_not(
    campaign: Campaign, tmp_path: Path
) -> None:
    right, elsewhere = (
        try_attempt(campaign, config_attempts(tmp_path / name, [config])[0])
        for name, config in (
            ("right", WRONG),
            ("elsewhere", BadConfig("elsewhere", WRONG.content, ((1, 1), (2, 1)))),
        )
    )
    assert right.is_right and right.num_located == 1
    assert elsewhere.is_right and elsewhere.num_located == 1 < len(elsewhere.attempt.places)


def test_a_traceback_is_never_right(sabotaged: Callable[..., Campaign], tmp_path: Path) -> None:
    attempt = config_attempts(tmp_path / "configs", [WRONG])[0]
    outcome = try_attempt(sabotaged("stumble_over_configs"), attempt)
    assert outcome.ended and outcome.ended.has_traceback
    assert not outcome.is_right
    assert "wanted exit 2" in outcome.complaint()


def test_a_hang_is_never_right(
    sabotaged: Callable[..., Campaign], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bad_inputs, "PATIENCE_SECONDS", 0.2)
    attempt = config_attempts(tmp_path / "configs", [WRONG])[0]
    outcome = try_attempt(sabotaged("sleep_first"), attempt)
    assert outcome.ended is None and not outcome.is_right
    assert "still running" in outcome.complaint()


def test_a_second_process_in_a_run_is_locked_out(campaign: Campaign) -> None:
    outcome = try_locked(campaign)
    assert outcome.is_right, outcome.complaint()
