"""docs/reliability.md names a test for every fault: each of them exists."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "reliability.md"
ROWS = [
    line
    for line in PAGE.read_text("utf-8").splitlines()
    if re.match(r"\| .*tests?/|\| .*\.py", line)
]


def named_tests(row: str) -> list[tuple[str, str]]:
    """Return the (file, function) pairs of a row; the function is empty where a file is named."""
    return re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", row)


def test_the_page_has_a_row_per_fault() -> None:
    assert len(ROWS) >= 45


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_every_fault_has_tests_that_exist(row: str) -> None:
    found = named_tests(row)
    assert found
    for file, function in found:
        text = (TESTS / file).read_text("utf-8")
        assert f"def {function}(" in text or not function, f"{file}::{function}"
