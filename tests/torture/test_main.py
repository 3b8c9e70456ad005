"""The campaign as a program: in small amounts, but every part."""

import json
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from part_program import choose_parts
from torture_campaign.__main__ import PARTS

from cnn_train.errors import UsageError

REPOSITORY = Path(__file__).parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def torture(run_script: Run) -> Run:
    return partial(run_script, "torture_campaign")


def test_parts_are_chosen_by_name_in_the_order_given() -> None:
    assert choose_parts("flips, kills", PARTS) == ["flips", "kills"]
    for wrong in ("floods", "", "kills,floods"):
        with pytest.raises(UsageError, match="choose from kills, syscalls"):
            choose_parts(wrong, PARTS)


@pytest.mark.slow
def test_an_unknown_part_is_one_line_and_exit_code_two(torture: Run) -> None:
    outcome = torture("--only", "floods")
    assert outcome.returncode == 2
    assert outcome.stderr.startswith("error: --only floods: choose from")
    assert outcome.stderr.count("\n") == 1


@pytest.mark.slow
def test_everything_survives_the_quick_campaign(torture: Run, tmp_path: Path) -> None:
    document = tmp_path / "counts.json"
    outcome = torture("--quick", "--json", document)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    rows = json.loads(document.read_text())["rows"]
    assert list(dict.fromkeys(row["part"] for row in rows)) == list(PARTS)
    counts = [row["ours"] for row in rows if row["part"] != "cost"]
    assert all(count["good"] == count["of"] > 0 for count in counts)
    plain = {row["name"]: row["plain"] for row in rows if row["plain"]}
    flips = plain["flipped bits rejected"]
    assert flips["good"] < flips["of"]
    costs = [row["ours"]["value"] for row in rows if row["part"] == "cost"]
    assert costs and min(costs) > 0  # how much is for whole epochs on real images to say
