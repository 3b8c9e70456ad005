"""docs/reliability.md names a test for every fault: each of them exists."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
ROWS = [
    line
    for line in PAGE.read_text("utf-8").splitlines()
    if re.match(r"\| .*tests?/|\| .*\.py", line)
]


def test_the_page_has_a_row_per_fault() -> None:
    assert len(ROWS) >= 45


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_every_fault_has_tests_that_exist(
    row: str, missing_tests: Callable[[str], list[str]]
) -> None:
    assert missing_tests(row) == []
