"""Checkpoints cut short, and files that never were one, through the real command line."""

from collections.abc import Iterator
from pathlib import Path

from .bad_inputs import Attempt
from .campaign import Campaign
from .children import DEADLINE_SECONDS
from .foreign_files import make_foreign_files
from .rows import Count, Row, count_row

PART = "cuts"
CHECKPOINT = 4


def cut_rows(campaign: Campaign) -> Iterator[Row]:
    """Give cut and foreign files to ``evaluate``; exit code 4, no traceback, no code run."""
    directory, marker = campaign.directory("cuts"), campaign.scratch / "code-ran"
    good, number = Path(campaign.two_states[1]).read_bytes(), campaign.amount(200, 12)
    cut = []
    for size in cut_sizes(len(good), number):
        cut.append(directory / f"cut-{size}.ckpt")
        cut[-1].write_bytes(good[:size])
    foreign = make_foreign_files(directory, good, marker, campaign.seed)
    yield refusal_row(campaign, "cut checkpoints refused with exit code 4", cut)
    yield refusal_row(campaign, "other and malicious files refused with exit code 4", foreign)
    yield code_row(marker)


def cut_sizes(num_bytes: int, number: int) -> list[int]:
    """Return lengths from 0 to one byte less than whole, the ends of the file more closely."""
    ends = {0, 1, 47, 48, 49, num_bytes - 49, num_bytes - 48, num_bytes - 47, num_bytes - 1}
    spread = {i * num_bytes // number for i in range(number)}
    return sorted(ends | spread)


def code_row(marker: Path) -> Row:
    """Say whether the code in malicious files has run: it makes ``marker``."""
    return Row(PART, "foreign code run: none", Count(int(not marker.exists()), 1))


def refusal_row(campaign: Campaign, name: str, files: list[Path]) -> Row:
    """Give each file to ``evaluate``."""
    attempts = [
        Attempt(file.name, ["evaluate", file, "--device", "cpu"], CHECKPOINT) for file in files
    ]
    for attempt in attempts:
        attempt.run(campaign, DEADLINE_SECONDS)
    return count_row(PART, name, [attempt.failure for attempt in attempts])
