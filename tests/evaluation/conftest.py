from collections.abc import Iterator
from contextlib import contextmanager

import pytest


class CountingProgress:
    """Keeps, of every bar that was shown, what it announced and what it heard of."""

    def __init__(self) -> None:
        self.totals: list[tuple[int | None, int]] = []

    @contextmanager
    def __call__(self, description: str, total: int | None, *, unit: str = "items") -> Iterator:
        amounts: list[int] = []
        yield amounts.append
        self.totals.append((total, sum(amounts)))


@pytest.fixture
def counting() -> CountingProgress:
    return CountingProgress()
