"""What the invariants look at: the repository's own files."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def missing_tests(repository: Path) -> Callable[[str], list[str]]:
    """Return a function that lists the tests which a page's row names but which do not exist.

    A test is named as `file.py::function`, or as `file.py` for all of it; a row names at least one.
    """

    def find(row: str) -> list[str]:
        named: list[tuple[str, str]] = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", row)
        assert named, row
        return [
            f"{file}::{function}"
            for file, function in named
            if f"def {function}" not in (repository / "tests" / file).read_text("utf-8")
        ]

    return find
