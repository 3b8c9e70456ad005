"""How steps end, and that one step's end is no other's."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from gpu_kit.campaign import child_environment, find_reason, run_steps, running
from gpu_kit.kit import REPOSITORY, Kit
from gpu_kit.results import Results
from gpu_kit.steps import STEPS, Step, choose_steps

from cnn_train.errors import UsageError

MakeKit = Callable[..., Kit]


def is_alive(process_id: int) -> bool:
    """Say whether a process runs; one that ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_step_that_fails_or_takes_too_long_does_not_stop_the_next(make_kit: MakeKit) -> None:
    kit = make_kit()
    steps = [Step("nonsense", 60, 0), Step("environment", 0.05, 0), Step("tests", 60, 1000)]
    results = Results(kit.out, {"device": "cpu"})
    run_steps(kit, steps, 100, results)
    failed, ended, skipped = results.steps
    assert (failed.state, failed.why) == ("failed", "KeyError: 'nonsense' (exit code 1)")
    assert (ended.state, ended.why) == ("ended", "not done after 0 s")
    assert (skipped.state, skipped.seconds < 1) == ("skipped", True)
    assert skipped.why.startswith("wants 1000 s, ")
    assert [step.went_wrong for step in results.steps] == [True, True, False]
    document = json.loads((kit.out / "gpu.json").read_text())
    assert [step["state"] for step in document["steps"]] == ["failed", "ended", "skipped"]
    assert "KeyError: 'nonsense'" in (kit.out / "gpu.md").read_text()


@pytest.mark.parametrize("limit", [0.5, 1000])
def test_a_step_that_ends_or_is_ended_takes_all_its_processes_with_it(
    make_kit: MakeKit, limit: float
) -> None:
    kit = make_kit()
    shell = "sleep 1000 & echo $!; wait" if limit < 1 else "sleep 1000 >/dev/null & echo $!"
    with (
        (kit.out / "log").open("a") as log,
        running(["sh", "-c", shell], limit, kit, log) as (process, timed_out),
    ):
        assert process.stdout
        sleeper = int(process.stdout.readline())
        assert process.stdout.readline() == ""
    assert timed_out.is_set() == (limit < 1)
    patience = time.monotonic() + 60
    while is_alive(sleeper):  # killed by now; the kernel may take a moment
        assert time.monotonic() < patience
        time.sleep(0.01)


def test_the_reason_of_a_failure_is_the_last_line_that_names_an_error(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("ValueError: of the step before\n")
    begins = log.stat().st_size
    assert find_reason(log, begins) == "it said nothing"
    with log.open("a") as more:
        more.write("torch.AcceleratorError: CUDA error: it broke\nCompile with a flag\n\n")
    assert find_reason(log, begins) == "torch.AcceleratorError: CUDA error: it broke"
    log.write_text("killed\n\n")
    assert find_reason(log, 0) == "killed"


def test_a_signal_ends_the_kit_with_its_results_on_disk(make_kit: MakeKit, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "gpu_kit", "--toy", "--steps", "environment", "--out", "found"]
    environment = child_environment(make_kit())
    kit = subprocess.Popen(program, cwd=tmp_path, env=environment, stderr=subprocess.PIPE)
    place = tmp_path / "found" / "gpu.json"
    while not place.exists():
        assert kit.poll() is None
        time.sleep(0.01)
    kit.send_signal(signal.SIGTERM)
    _, stderr = kit.communicate()
    assert kit.returncode == 130, stderr
    (step,) = json.loads(place.read_text())["steps"]
    assert (step["name"], step["state"]) == ("environment", "interrupted")


def test_steps_are_chosen_by_call_or_by_name_and_each_runs_once() -> None:
    chosen = choose_steps("resume, first,resume,schedule:resnet18")
    assert [step.name for step in chosen[:3]] == ["resume", "environment", "tests"]
    assert chosen[-1] == STEPS["schedule:resnet18"]
    assert len(chosen) == len(set(chosen))
    for wrong in ("", "fourth", "first,fourth"):
        with pytest.raises(UsageError, match="--steps"):
            choose_steps(wrong)


def test_at_toy_size_one_step_of_each_kind_runs_whatever_time_is_left() -> None:
    names = [step.name for step in choose_steps("all", toy=True)]
    assert [name for name in names if ":" in name] == [
        "speed:speedrun_gpu", "speedrun:94", "schedule:speedrun_gpu"
    ]  # fmt: skip
    assert all(step.least == 0 for step in choose_steps("all", toy=True))


def test_children_find_the_packages_from_any_folder(
    make_kit: MakeKit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"site{os.pathsep}{REPOSITORY}")
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    environment = child_environment(make_kit(toy=False))
    places = [REPOSITORY, REPOSITORY / "scripts", tmp_path / "site"]
    assert environment["PYTHONPATH"] == os.pathsep.join(map(str, places))
    assert "PYTEST_XDIST_WORKER" not in environment
    assert "TORCHDYNAMO_DISABLE" not in environment
