"""The campaign as a program: in small amounts, but every part."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from torture_campaign.__main__ import PARTS, choose_parts

from cnn_train.errors import UsageError

REPOSITORY = Path(__file__).parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def torture(tmp_path: Path) -> Run:
    def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
        path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "scripts")])
        return subprocess.run(
            [sys.executable, "-m", "torture_campaign", *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": path, "XDG_CACHE_HOME": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )

    return run


def test_parts_are_chosen_by_name_in_the_order_given() -> None:
    assert choose_parts("flips, kills") == ["flips", "kills"]
    for wrong in ("floods", "", "kills,floods"):
        with pytest.raises(UsageError, match="choose from kills, syscalls"):
            choose_parts(wrong)


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
