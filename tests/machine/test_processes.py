import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from torch.distributed import HashStore

from cnn_train.errors import LostProcessError, UsageError
from cnn_train.machine import rendezvous
from cnn_train.machine.processes import (
    ALONE,
    World,
    join,
    lost_processes_explained,
    require_one_process,
)
from cnn_train.machine.rendezvous import first_host, launched_with


@pytest.fixture
def pair() -> list[World]:
    """Two processes' views, both in this one: enough for what goes through the store."""
    store = HashStore()
    return [World(rank, 2, rank, store) for rank in (0, 1)]


@pytest.fixture
def in_background() -> Callable[..., threading.Thread]:
    def start(function: Callable[..., Any], *arguments: Any) -> threading.Thread:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        thread.start()
        return thread

    return start


@pytest.mark.parametrize("num_examples", [1, 2, 3, 7, 64, 129])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_parts_cover_a_minibatch_once_and_differ_by_one_at_most(
    num_examples: int, size: int
) -> None:
    parts = [World(rank, size).part(num_examples) for rank in range(size)]
    covered = [i for part in parts for i in range(part.start, part.stop)]
    assert covered == list(range(num_examples))
    lengths = [part.stop - part.start for part in parts]
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_weighted_means_of_parts_average_to_the_mean_of_the_whole(size: int) -> None:
    values = [float(i * i) for i in range(11)]
    total = 0.0
    for rank in range(size):
        part = World(rank, size).part(len(values))
        own = values[part.start : part.stop]
        total += part.weight * sum(own) / len(own)
    assert total / size == pytest.approx(sum(values) / len(values), rel=1e-14)


def test_even_parts_have_a_weight_of_exactly_one() -> None:
    for size in range(1, 40):
        assert {World(rank, size).part(3 * size).weight for rank in range(size)} == {1.0}


def test_alone_everything_is_the_identity() -> None:
    values = [0.1, 2]
    assert ALONE.is_first
    assert ALONE.sum(values) == values
    assert ALONE.largest(-3) == -3
    assert ALONE.any(True) and not ALONE.any(False)
    assert ALONE.tell("words", values) is values
    ALONE.meet("here")
    ALONE.share([])
    ALONE.leave()
    with ALONE.first_on_each_machine("images"):
        pass


def test_without_torchrun_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert join() is ALONE
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert join() is ALONE


@pytest.mark.parametrize(
    ("variables", "name"),
    [({"WORLD_SIZE": "two"}, "WORLD_SIZE: two"), ({"WORLD_SIZE": "2"}, "RANK: missing")],
)
def test_half_an_environment_is_named(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], name: str
) -> None:
    monkeypatch.delenv("RANK", raising=False)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=f"environment variable {name}; start .* with torchrun"):
        join()


SRUN = {"SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_NODELIST": "n[07-9,11],big"}
JOINED = {
    "WORLD_SIZE": "4", "RANK": "3", "LOCAL_RANK": "1", "MASTER_ADDR": "n07", "MASTER_PORT": "22345",
}  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"SLURM_NTASKS": "4", "SLURM_JOB_ID": "987345"}, JOINED | {"MASTER_PORT": "22345"}),
        ({"SLURM_NTASKS": "9", "SLURM_STEP_NUM_TASKS": "4", "SLURM_JOB_ID": "7345"}, JOINED),
        ({"SLURM_STEP_NUM_TASKS": "4", "ENVIRONMENT": "BATCH", "MASTER_PORT": "22345"}, JOINED),
        ({"SLURM_NTASKS": "4", "ENVIRONMENT": "BATCH"}, None),  # the batch script itself
        ({"SLURM_NTASKS": "1"}, None),
        ({"SLURM_NTASKS": "4", "WORLD_SIZE": "1"}, None),
        ({"SLURM_NTASKS": "4", "WORLD_SIZE": "2", "RANK": "0"}, None),  # torchrun within srun
    ],
)
def test_tasks_of_srun_are_processes_as_torchrun_starts_them(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: dict[str, str] | None
) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (SRUN | variables).items():
        monkeypatch.setenv(name, value)
    assert launched_with() == (os.environ if expected is None else expected)


@pytest.mark.parametrize(
    ("nodes", "host"),
    [
        ("a", "a"),
        ("a,b", "a"),
        ("a[3]", "a3"),
        ("a[03-5,9]", "a03"),
        ("r[2-3]n[1,4-6]-x,b", "r2n1-x"),
        ("", "localhost"),
    ],
)
def test_the_first_host_of_slurms_list_is_the_meeting_place(nodes: str, host: str) -> None:
    assert first_host(nodes) == host


def test_a_partner_that_never_comes_ends_the_wait_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "PATIENCE_SECONDS", -1.0)
    monkeypatch.setattr(rendezvous, "TIMEOUT", timedelta(seconds=0.2))
    said: list[str] = []
    with pytest.raises(LostProcessError, match="of 3 processes these have not come: 0, 2; start"):
        rendezvous.wait_for_all(HashStore(), 1, 3, said.append)
    assert said == []  # the first process speaks for all
    with pytest.raises(LostProcessError, match="have not come: 1, 2; start them"):
        rendezvous.wait_for_all(HashStore(), 0, 3, said.append)
    assert [line.partition(";")[0] for line in said] == [
        "waiting: of 3 processes these have not come: 1, 2"
    ]


def test_a_command_of_one_process_refuses_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    require_one_process("evaluate")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="evaluate is one process: run it without torchrun"):
        require_one_process("evaluate")


def test_nobody_passes_a_meeting_before_all_have_come(
    pair: list[World], in_background: Callable[..., threading.Thread]
) -> None:
    for _ in range(2):  # a name serves any number of times
        waiting = in_background(pair[0].meet, "here")
        waiting.join(timeout=0.2)
        assert waiting.is_alive()
        pair[1].meet("here")
        waiting.join(timeout=60)
        assert not waiting.is_alive()


class StoreWithAStory:
    """A store in which the other process tells something and fails after the first look."""

    def __init__(self, store: Any, other: World) -> None:
        self.store, self.other, self.num_looks = store, other, 0

    def check(self, keys: list[str]) -> bool:
        found: bool = self.store.check(keys)
        self.num_looks += 1
        if self.num_looks == 1:
            self.other.tell("config", "text")
            self.other.announce_failure()
        return found

    def get(self, key: str) -> bytes:
        value: bytes = self.store.get(key)
        return value


def test_what_was_told_before_a_failure_is_heard_though_the_failure_was_seen_first(
    pair: list[World],
) -> None:
    second = replace(pair[1], store=StoreWithAStory(pair[1].store, pair[0]))
    assert second.tell("config") == "text"


def test_a_failure_ends_the_others_waiting(pair: list[World]) -> None:
    assert pair[1].announce_failure()
    with pytest.raises(LostProcessError, match="another process of this run has failed"):
        pair[0].meet("here")
    assert not pair[0].announce_failure()


def test_a_machines_first_process_runs_the_block_before_its_others(
    pair: list[World], in_background: Callable[..., threading.Thread]
) -> None:
    order = []

    def second() -> None:
        with pair[1].first_on_each_machine("images"):
            order.append("second")

    waiting = in_background(second)
    with pair[0].first_on_each_machine("images"):
        waiting.join(timeout=0.2)
        order.append("first")
    waiting.join(timeout=60)
    assert order == ["first", "second"]


def test_each_machine_has_a_first_process_of_its_own() -> None:
    other_machine = World(rank=2, size=4, local_rank=0, store=HashStore())
    with other_machine.first_on_each_machine("images"):
        pass


@pytest.mark.parametrize(
    "message",
    [
        "[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [::1]:42",
        "NCCL communicator was aborted on rank 1.",
    ],
)
def test_a_lost_connection_becomes_one_line_of_advice(message: str) -> None:
    with (
        pytest.raises(LostProcessError, match="ended or cannot be reached; go on") as caught,
        lost_processes_explained("; go on"),
    ):
        raise RuntimeError(message)
    assert caught.value.exit_code == 6
    assert "\n" not in str(caught.value)


def test_another_error_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="shape"), lost_processes_explained(""):
        raise RuntimeError("shape mismatch")


def test_being_alone_imports_no_torch(start_processes: Callable[..., Any], tmp_path: Any) -> None:
    source = (
        "import sys; from cnn_train.machine.processes import join; join(); "
        "print('torch' in sys.modules)"
    )
    (process,) = start_processes("-c", source, cwd=tmp_path, number=1)
    assert process.communicate(timeout=60) == ("False\n", "")
