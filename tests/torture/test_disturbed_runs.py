"""Kills, signals, preemptions and full disks: each probe sees a run that does not bear them."""

import signal
from collections.abc import Callable
from dataclasses import replace

from torture_campaign.campaign import Campaign
from torture_campaign.children import Child
from torture_campaign.full_disk import disturb, spread_moments
from torture_campaign.kills import kill_ours
from torture_campaign.requeue import preempt
from torture_campaign.signals import save_on_signal, stop_in_phase
from torture_campaign.tiny_run import CONFIG

Sabotaged = Callable[..., Campaign]


def until_the_second_epoch(child: Child, seconds: float) -> None:
    """Wait for progress instead of time, so that a busy machine changes nothing."""
    child.wait_until_said("epoch 1/")


def test_killed_runs_go_on_bit_equal(campaign: Campaign) -> None:
    kills = kill_ours(replace(campaign, let_run=until_the_second_epoch), 1)
    assert kills.went_on == [True] and kills.equal == [True]


def test_a_killed_run_that_goes_on_differently_is_caught(sabotaged: Sabotaged) -> None:
    campaign = replace(sabotaged("forget_momentum"), let_run=until_the_second_epoch)
    kills = kill_ours(campaign, 1)
    assert kills.went_on == [True] and kills.equal == [False]
    assert len(kills.failures) == 1


def test_a_run_that_dies_of_a_signal_and_leaves_a_process_is_caught(sabotaged: Sabotaged) -> None:
    stop = stop_in_phase(sabotaged("save_nothing_and_leave_a_child"), "training", signal.SIGTERM)
    assert (stop.saved, stop.alone) == (False, False)
    assert stop.equal  # from the state before


def test_a_run_that_hears_no_signal_is_caught(sabotaged: Sabotaged) -> None:
    stop = stop_in_phase(sabotaged("hear_no_signal"), "training", signal.SIGTERM)
    assert stop.exit_code is False and stop.failure


def test_a_run_that_does_not_save_when_asked_is_caught(sabotaged: Sabotaged) -> None:
    assert not save_on_signal(sabotaged("save_nothing_and_leave_a_child"), "training")


def test_a_preempted_run_that_forgets_something_is_caught(sabotaged: Sabotaged) -> None:
    campaign = replace(sabotaged("forget_momentum"), let_run=until_the_second_epoch)
    exit_codes, failure = preempt(campaign, 0, 1, CONFIG)
    assert len(exit_codes) == 1 and failure


def test_moments_are_spread_from_the_first_to_the_last() -> None:
    assert spread_moments(10, 4) == [1, 4, 7, 10]
    assert spread_moments(9, 1) == [5]
    assert spread_moments(3, 40) == [1, 2, 3]


def test_a_full_disk_is_named_and_the_run_goes_on_afterwards(campaign: Campaign) -> None:
    disturbed = disturb(campaign, 60, "ENOSPC", persistent=True)
    assert disturbed.is_refused_well and disturbed.goes_on
    assert "disk full" in disturbed.ended.stderr and "last good" in disturbed.ended.stderr


def test_a_failing_disk_that_ends_in_a_traceback_is_caught(sabotaged: Sabotaged) -> None:
    campaign = sabotaged("raise_errors_as_they_come")
    disturbed = disturb(campaign, 40, "EIO", persistent=True)
    assert disturbed.ended.has_traceback and not disturbed.is_refused_well
