"""The whole kit on the CPU: nothing in it may fail for the first time on a borrowed minute."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from gpu_kit.__main__ import gpu
from gpu_kit.steps import STEPS

from cnn_train.errors import UsageError

ROWS = {
    "environment": {"processor", "versions, memory", "3×3 convolution float32", "copy"},
    "tests": {"passed"},
    "agreement": {"linear, float32", "lenet, bfloat16"},
    "resume": {
        "speedrun_gpu: the same run twice", "speedrun_gpu: stopped, resumed",
        "cpu, cpu, cpu: one epoch on each",
    },
    "messages": {"out of memory", "divergence"},
    "speed": {
        "speedrun_gpu: fit beside a bare loop", "speedrun_gpu: fit beside a tutorial's loop",
        "speedrun_gpu: cpu busy", "speedrun_gpu: fit replayed beside a bare loop",
        "speedrun_gpu: fit compiled beside a bare loop",
    },
    "speedrun": {
        "speedrun_gpu: whole process", "toy_peer.py: by the clock of the record",
        "speedrun_gpu, beside toy_peer.py",
    },
    "schedule": {
        "speedrun_gpu: fit", "speedrun_gpu: test accuracy, --tta flip_translate",
        "weights in bfloat16",
    },
}  # fmt: skip


@pytest.mark.slow
def test_every_kind_of_step_runs_at_toy_size(
    run_script: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    options = ("--toy", "--steps", "all", "--seeds", 2, "--budget", 3600, "--out", "found")
    outcome = run_script("gpu_kit", *options)
    assert outcome.returncode == 0, outcome.stderr
    document = json.loads((tmp_path / "found" / "gpu.json").read_text())
    assert {step["name"].partition(":")[0] for step in document["steps"]} == set(ROWS)
    page = (tmp_path / "found" / "gpu.md").read_text()
    for step in document["steps"]:
        assert step["state"] == "done", step["why"]
        assert ROWS[step["name"].partition(":")[0]] <= {row["name"] for row in step["rows"]}
        assert f"## {step['name']}\n" in page
    assert "| n = 2, mean " in page


def test_earlier_results_are_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "gpu.json").write_text("{}")
    with pytest.raises(UsageError, match="holds results already; choose another folder"):
        gpu(toy=True, out=tmp_path)


def test_every_kind_of_step_is_run_above() -> None:
    assert {step.module for step in STEPS.values()} == set(ROWS)
