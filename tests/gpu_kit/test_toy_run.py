"""The whole kit on the CPU: nothing in it may fail for the first time on a borrowed minute."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from gpu_kit.steps import STEPS

ROWS = {
    "environment": {"processor", "its memory", "3×3 convolution float32", "copy"},
    "tests": {"passed"},
    "agreement": {"linear, float32", "lenet, bfloat16"},
    "resume": {
        "resnet18: the same run twice", "speedrun_gpu, compiled: stopped within an epoch, resumed",
        "cpu, cpu, cpu: one epoch on each",
    },
    "messages": {"out of memory", "divergence"},
    "speed": {
        "speedrun_gpu: fit beside a bare loop", "speedrun_gpu: fit beside a tutorial's loop",
        "speedrun_gpu: cpu busy", "speedrun_gpu: fit beside a bare loop, both compiled",
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
    outcome = run_script("gpu_kit", "--toy", "--steps", "all", "--seeds", 2, "--out", "found")
    assert outcome.returncode == 0, outcome.stderr
    document = json.loads((tmp_path / "found" / "gpu.json").read_text())
    steps = {step["name"].partition(":")[0]: step for step in document["steps"]}
    assert list(steps) == list(ROWS)
    page = (tmp_path / "found" / "gpu.md").read_text()
    for name, step in steps.items():
        assert step["state"] == "done", step["why"]
        assert ROWS[name] <= {row["name"] for row in step["rows"]}
        assert f"## {step['name']}\n" in page
    assert "| n = 2, mean " in page
    again = run_script("gpu_kit", "--toy", "--out", "found")
    assert again.returncode == 2
    assert "holds results already" in again.stderr


def test_every_kind_of_step_is_expected_above() -> None:
    assert {step.module for step in STEPS.values()} == set(ROWS)
