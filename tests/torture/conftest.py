"""A campaign in small amounts, and the ways to spoil what it tests."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torture_campaign.campaign import Campaign
from torture_campaign.children import ForkServer

BROKEN = Path(__file__).with_name("broken.py")


@pytest.fixture(scope="session")
def campaign(fork_server: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return Campaign(True, 0, tmp_path_factory.mktemp("torture"), fork_server)


@pytest.fixture(scope="session")
def broken() -> Callable[[str], str]:
    """Return how the fork server finds a function of ``broken.py``."""
    return lambda name: f"{BROKEN}:{name}"


@pytest.fixture
def sabotaged(campaign: Campaign, broken: Callable[[str], str]) -> Callable[..., Campaign]:
    """Return a function that makes the campaign in which every command is spoilt in one way."""

    def spoil(name: str, **arguments: Any) -> Campaign:
        return replace(campaign, sabotage={"call": broken(name), "arguments": arguments})

    return spoil
