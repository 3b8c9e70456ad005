from collections.abc import Callable
from pathlib import Path

import pytest
from torture_campaign.campaign import Campaign
from torture_campaign.cuts import code_row, cut_sizes, refusal_row
from torture_campaign.foreign_files import make_foreign_files


def test_cuts_are_anywhere_and_close_at_the_ends() -> None:
    sizes = cut_sizes(10_000, 20)
    assert {0, 1, 47, 48, 49, 5_000, 9_951, 9_952, 9_953, 9_999} <= set(sizes)
    assert max(sizes) < 10_000


@pytest.fixture
def files(campaign: Campaign, tmp_path: Path) -> list[Path]:
    good = Path(campaign.two_states[1]).read_bytes()
    made = make_foreign_files(tmp_path, good, tmp_path / "code-ran", seed=0)
    return [path for path in made if "archive" in path.name or path.name == "text.ckpt"]


def test_malicious_files_are_refused_and_no_code_runs(
    campaign: Campaign, files: list[Path], tmp_path: Path
) -> None:
    row = refusal_row(campaign, "refused", files)
    assert (row.ours.good, row.failures) == (3, ())
    assert code_row(tmp_path / "code-ran").is_kept


def test_code_in_a_malicious_file_that_runs_is_noticed(
    sabotaged: Callable[..., Campaign], files: list[Path], tmp_path: Path
) -> None:
    refusal_row(sabotaged("trust_pickles"), "refused", files)
    assert not code_row(tmp_path / "code-ran").is_kept


def test_a_wrong_exit_code_is_noticed(
    sabotaged: Callable[..., Campaign], files: list[Path]
) -> None:
    row = refusal_row(sabotaged("stumble_over_checkpoints"), "refused", files[:1])
    assert not row.is_kept and "KeyError" in row.failures[0]
