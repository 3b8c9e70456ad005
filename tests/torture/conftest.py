"""A campaign in small amounts, and the ways to spoil what it tests."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from torture_campaign.campaign import Campaign
from torture_campaign.children import ForkServer

BROKEN = Path(__file__).with_name("broken.py")


@pytest.fixture(scope="session")
def broken() -> Callable[[str], str]:
    """Return how the fork server finds a function of ``broken.py``."""
    return lambda name: f"{BROKEN}:{name}"


@pytest.fixture(scope="session")
def campaign(
    fork_server: ForkServer, broken: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Campaign:
    plain = {"call": broken("spoil"), "arguments": {}}
    return Campaign(True, 0, tmp_path_factory.mktemp("torture"), fork_server, sabotage=plain)


@pytest.fixture
def sabotaged(campaign: Campaign, broken: Callable[[str], str]) -> Callable[[str], Campaign]:
    """Return a function that makes the campaign in which every command is spoilt in one way."""
    return lambda name: replace(
        campaign, sabotage={"call": broken("spoil"), "arguments": {"name": name}}
    )
