"""How much memory is free, found in the files of a made-up Linux."""

from pathlib import Path

import pytest
import torch
from pretended_gpu import GPU, PretendedGpu

from cnn_train.machine import free_memory as module
from cnn_train.machine.free_memory import free_memory, weigh

CPU = torch.device("cpu")
STAT = "anon 5\ninactive_file 30\nactive_file 7\ntotal_inactive_file 30\n"


@pytest.fixture
def computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a computer with 8,000 kB available, and this process in the group /jobs/one."""
    monkeypatch.setattr(module, "PROC", tmp_path / "proc")
    monkeypatch.setattr(module, "CGROUPS", tmp_path / "groups")
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:   8000 kB\n")
    (tmp_path / "proc" / "self" / "cgroup").write_text("4:memory:/jobs/one\n0::/jobs/one\n")
    return tmp_path


def limit(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / f"memory.{name}").write_text(f"{content}\n")
    (folder / "memory.stat").write_text(STAT)


def test_without_a_container_it_is_what_is_available(computer: Path) -> None:
    assert free_memory(CPU) == 8000 * 1024
    limit(computer / "groups" / "jobs" / "one", max="max", current=10)
    assert free_memory(CPU) == 8000 * 1024


@pytest.mark.parametrize("group", ["jobs/one", "jobs", ""])
def test_the_limit_of_a_container_or_of_one_around_it_counts(computer: Path, group: str) -> None:
    limit(computer / "groups" / group, max=1000, current=400)
    assert free_memory(CPU) == 1000 - 400 + 37  # files in its memory make room


@pytest.mark.parametrize("group", ["memory/jobs/one", "memory"])
def test_the_limit_of_an_older_container_counts_too(computer: Path, group: str) -> None:
    limit(computer / "groups" / group, limit_in_bytes=1000, usage_in_bytes=990)
    assert free_memory(CPU) == 1000 - 990 + 37


def test_a_container_over_its_limit_has_nothing_free(computer: Path) -> None:
    limit(computer / "groups" / "jobs", max=1000, current=4000)
    assert free_memory(CPU) == 0


def test_a_computer_without_these_files_has_all_its_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROC", tmp_path / "none")
    assert free_memory(CPU) > 1 << 26


def test_a_gpu_says_itself_what_is_free(gpu: PretendedGpu) -> None:
    assert free_memory(GPU) == 1 << 30


def test_two_fifths_of_the_free_memory_may_be_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "free_memory", lambda device: 10**10)
    fits, reason = weigh(4 * 10**9, CPU, "auto")
    assert (fits, reason) == (True, "4 GB fit into 40 % of the 10 GB that are free")
    fits, reason = weigh(4 * 10**9 + 10**8, CPU, "auto")
    assert (fits, reason) == (False, "4.1 GB do not fit into 40 % of the 10 GB that are free")


@pytest.mark.parametrize(("asked", "fits"), [("device", True), ("host", False)])
def test_what_is_asked_for_is_done_however_large(asked: str, fits: bool) -> None:
    assert weigh(1 << 60, CPU, asked) == (fits, "as configured")


def test_the_processes_of_a_run_share_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "free_memory", lambda device: 1000)
    assert weigh(400, CPU, "auto")[0]
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert weigh(200, CPU, "auto")[0]
    assert not weigh(201, CPU, "auto")[0]
    assert weigh(400, GPU, "auto")[0]  # each process has a GPU of its own
