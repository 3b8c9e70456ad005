"""The benchmark as a program: in small amounts, but every part."""

import json
import os
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from benchmarks.__main__ import PARTS
from part_program import choose_parts

from cnn_train.errors import UsageError

REPOSITORY = Path(__file__).parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def bench(run_script: Run) -> Run:
    return partial(run_script, "benchmarks")


def rows_of(outcome: "subprocess.CompletedProcess[str]", part: str) -> dict[str, Any]:
    assert outcome.returncode == 0, outcome.stderr
    rows = {row["name"]: row for row in json.loads(outcome.stdout)["rows"]}
    assert rows and {row["part"] for row in rows.values()} == {part}
    return rows


def test_parts_are_chosen_by_name_in_the_order_given() -> None:
    assert choose_parts("decode, ceiling", PARTS) == ["decode", "ceiling"]
    for wrong in ("speed", "", "ceiling,speed"):
        with pytest.raises(UsageError, match="choose from ceiling, train"):
            choose_parts(wrong, PARTS)


def test_an_unknown_part_is_one_line_and_exit_code_two(bench: Run) -> None:
    outcome = bench("--only", "speed")
    assert outcome.returncode == 2
    assert outcome.stderr.startswith("error: --only speed: choose from")
    assert outcome.stderr.count("\n") == 1


def test_the_ceiling_in_json_on_stdout_is_one_document(bench: Run) -> None:
    rows = rows_of(bench("--quick", "--only", "ceiling", "--repeats", 1, "--json", "-"), "ceiling")
    for precision in ("float32", "bfloat16"):
        shares = [row["of_ceiling"] for name, row in rows.items() if precision in name]
        assert len(shares) == 3 and max(shares) == 1 and min(shares) > 0
    assert rows["copy"]["ours"]["median"] > 0


@pytest.mark.slow
def test_training_is_compared_with_a_students_loop(bench: Run) -> None:
    rows = rows_of(bench("--quick", "--only", "train", "--repeats", 1, "--json", "-"), "train")
    assert list(rows) == ["resnet18", "vgg16", "fastnet"]
    for row in rows.values():
        assert row["ratio"]["median"] == row["ours"]["median"] / row["plain"]["median"]
        assert row["of_ceiling"] > 0


@pytest.mark.slow
def test_in_float32_every_small_architecture_is_compared(bench: Run) -> None:
    outcome = bench("--quick", "--only", "float32", "--repeats", 1, "--json", "-")
    rows = rows_of(outcome, "float32")
    assert {"linear", "mlp", "lenet", "fastnet", "resnet20", "mobilenet_v2"} <= set(rows)
    for row in rows.values():
        assert row["target"]["kept"] == (row["ratio"]["median"] >= 1)
    assert "wide_resnet" in json.loads(outcome.stdout)["remarks"][0]


@pytest.mark.slow
def test_the_overhead_of_fit_is_measured(bench: Run) -> None:
    outcome = bench("--quick", "--only", "overhead", "--repeats", 1, "--json", "-")
    (row,) = rows_of(outcome, "overhead").values()
    assert row["note"].startswith("overhead ")
    assert row["ours"]["median"] > 0 < row["plain"]["median"]


@pytest.mark.slow
def test_commands_and_batch_prediction_are_timed(bench: Run) -> None:
    outcome = bench("--quick", "--only", "startup", "--repeats", 1, "--json", "-")
    rows = rows_of(outcome, "startup")
    limits = [row["target"]["text"] for row in rows.values() if row["target"]]
    assert limits == ["< 0.4 s", "< 2.5 s", "< 4 s", "≥ 80% of plain"]
    assert (
        rows["cnn-train --help"]["ours"]["median"] < rows["cnn-train config check"]["ours"]["low"]
    )


def test_decoding_is_timed_first_and_from_the_cache(bench: Run) -> None:
    rows = rows_of(bench("--quick", "--only", "decode", "--repeats", 1, "--json", "-"), "decode")
    first, cores, second = rows.values()
    assert second["ours"]["low"] > first["ours"]["high"]
    assert 0 < cores["ours"]["median"] <= (os.cpu_count() or 1) + 0.5


@pytest.mark.slow
def test_growth_is_measured_and_drawn(bench: Run, tmp_path: Path) -> None:
    picture = tmp_path / "growth.png"
    options = ("--repeats", 1, "--plot", picture, "--json", "-")
    rows = rows_of(bench("--quick", "--only", "scale", *options), "scale")
    assert len(rows) == 3 * (4 + 1)
    assert 0.2 < rows["exponent of epochs"]["ours"]["median"] < 2
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_speedrun_is_timed_beside_another_command(bench: Run, tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text("model: {name: linear}\nepochs: 3\n")
    document = tmp_path / "speeds.json"
    options = ("--config", config, "--beside", "echo accuracy 0.94", "--json", document)
    outcome = bench("--quick", "--only", "speedrun", "--repeats", 1, *options)
    assert outcome.returncode == 0, outcome.stderr
    rows = json.loads(document.read_text())["rows"]
    assert [row["name"] for row in rows] == [
        "run", "validation accuracy", "validation accuracy", "the other command says",
    ]  # fmt: skip
    assert rows[0]["plain"]["median"] > 0 and rows[3]["ours"]["median"] == 0.94
    assert "speedrun" in outcome.stdout


def test_every_part_is_tested_here() -> None:
    text = Path(__file__).read_text("utf-8")
    assert all(f'"--only", "{part}"' in text for part in PARTS)
