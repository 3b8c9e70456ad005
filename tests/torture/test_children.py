import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from torture_campaign.campaign import Campaign
from torture_campaign.children import HungError

Broken = Callable[[str], str]


def test_a_function_answers_from_a_forked_child(campaign: Campaign, broken: Broken) -> None:
    assert campaign.server.call(broken("answer"), number=41) == 42


def test_an_error_is_a_traceback_and_exit_code_one(campaign: Campaign, broken: Broken) -> None:
    ended = campaign.server.start(broken("fail"), {}).wait()
    assert ended.exit_code == 1 and ended.has_traceback
    with pytest.raises(RuntimeError, match="a bug"):
        campaign.server.call(broken("fail"))


def test_the_real_command_line_says_its_error_and_its_exit_code(campaign: Campaign) -> None:
    ended = campaign.command(["config", "check", "no-such.yaml"]).wait()
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: no-such.yaml: no such config file")


def test_a_child_that_hangs_is_killed_and_told_apart(
    campaign: Campaign, broken: Broken, tmp_path: Path
) -> None:
    child = campaign.server.start(broken("sleep_first"), {}, tmp_path)
    with pytest.raises(HungError, match="still running"):
        child.wait(0.1)
    assert child.seconds < 50  # sleeping takes 60
    assert not child.leaves_orphans()


def test_death_by_a_signal_has_the_shells_exit_code(campaign: Campaign, broken: Broken) -> None:
    child = campaign.server.start(broken("sleep_first"), {})
    child.signal(signal.SIGKILL)
    assert child.wait().exit_code == 137
