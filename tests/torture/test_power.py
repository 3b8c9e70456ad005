from collections.abc import Callable

import pytest
from torture_campaign.campaign import Campaign
from torture_campaign.power import lose_power

Broken = Callable[[str], str]


@pytest.mark.parametrize("kind", ["checkpoint", "run"])
def test_power_loss_leaves_old_or_new_and_what_was_saved_stays(
    campaign: Campaign, kind: str
) -> None:
    counts = lose_power(campaign, kind)
    assert counts["neither"] == 0 < counts["num_states"]
    assert counts["durable"] == counts["num_after"] > 0
    assert "sync" in counts["operations"] and "rename" in counts["operations"]


@pytest.mark.parametrize("save", ["save_in_place", "save_without_sync"])
def test_content_that_was_not_synced_is_caught(
    campaign: Campaign, broken: Broken, save: str
) -> None:
    assert lose_power(campaign, "checkpoint", broken(save))["neither"] > 0


def test_a_name_that_was_not_synced_is_caught(campaign: Campaign, broken: Broken) -> None:
    counts = lose_power(campaign, "checkpoint", broken("save_without_directory_sync"))
    assert counts["neither"] == 0
    assert counts["durable"] < counts["num_after"]


def test_a_save_that_cannot_be_watched_is_not_judged(campaign: Campaign) -> None:
    with pytest.raises(RuntimeError, match="not everything was recorded"):
        lose_power(campaign, "plain")  # torch's own C++ writes the file
