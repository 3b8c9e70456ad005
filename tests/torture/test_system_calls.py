from collections.abc import Callable

import pytest
from torture_campaign.campaign import Campaign
from torture_campaign.system_calls import crash_saves

Broken = Callable[[str], str]


def test_a_crash_anywhere_in_a_save_leaves_the_old_or_the_new_state(campaign: Campaign) -> None:
    crashes = crash_saves(campaign, "checkpoint", 3)
    assert set(crashes["loads"]) == {"old", "new"}
    assert crashes["loads"] == sorted(crashes["loads"], reverse=True)  # old until it is new
    assert crashes["loads"][-1] == "new"


def test_leftovers_of_a_runs_save_are_gone_at_the_next_start(campaign: Campaign) -> None:
    crashes = crash_saves(campaign, "run", 7)
    assert "neither" not in crashes["loads"]
    assert 0 < crashes["littered"] < crashes["tidied"] == len(crashes["loads"])


@pytest.mark.parametrize("save", ["save_in_place", "save_after_removing"])
def test_a_save_that_can_lose_both_states_is_caught(
    campaign: Campaign, broken: Broken, save: str
) -> None:
    crashes = crash_saves(campaign, "checkpoint", 1, broken(save))
    assert "neither" in crashes["loads"]
    assert crashes["loads"][-1] == "new"


def test_where_tracing_is_not_allowed_crashes_are_at_file_operations(
    campaign: Campaign, broken: Broken
) -> None:
    arguments = {"kind": "checkpoint", "states": campaign.two_states, "stride": 1}
    crashes = campaign.server.call(broken("crash_without_tracing"), **arguments)
    assert not crashes["traced"]
    assert set(crashes["loads"]) == {"old", "new"}
    replaced = {"replaced_by": broken("save_in_place")}
    lossy = campaign.server.call(broken("crash_without_tracing"), **arguments | replaced)
    assert "neither" in lossy["loads"]
