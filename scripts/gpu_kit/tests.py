"""Step ``tests``: the tests marked ``gpu``."""

import os
from collections.abc import Iterator

import pytest
from benchmarks.rows import Row, Target

from .attempt import single
from .kit import REPOSITORY, Kit


class Verdicts:
    """Notes how each test ended, and why one failed, as pytest reports it."""

    def __init__(self) -> None:
        self.reasons: dict[str, list[str]] = {"passed": [], "failed": [], "skipped": []}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that ran, or whose set-up or tear-down did not succeed."""
        if report.when == "call" or not report.passed:
            crash = getattr(report.longrepr, "reprcrash", None)
            reason = str(crash.message).splitlines()[0] if crash else ""
            self.reasons[report.outcome].append(f"{report.nodeid}: {reason}")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that cannot be read."""
        if report.failed:
            self.reasons["failed"].append(f"{report.nodeid}: cannot be collected")


def rows(kit: Kit, _: str) -> Iterator[Row]:
    """Run the tests; a row for each that fails, then the counts.

    Only files that name the marker are read: the others would cost half a minute.
    """
    os.chdir(REPOSITORY)
    files = [str(path) for path in sorted(REPOSITORY.glob("tests/**/test_*.py"))
             if "mark.gpu" in path.read_text("utf-8")]  # fmt: skip
    verdicts = Verdicts()
    options = ["-m", "gpu", "-q", "-p", "no:cacheprovider", f"--basetemp={kit.scratch / 'pytest'}"]
    code = int(pytest.main([*options, *files], plugins=[verdicts]))
    passed, failed, skipped = (len(names) for names in verdicts.reasons.values())
    for reason in verdicts.reasons["failed"]:
        name, _, why = reason.partition(": ")
        yield single("tests", name, "failed", 1, note=why)
    kept = code == 0 and (passed > 0 or kit.toy)
    yield single(
        "tests", "passed", "tests", passed,
        target=Target("all pass", kept),
        note=f"{failed} failed, {skipped} skipped; pytest's exit code {code}",
    )  # fmt: skip
