"""``fit`` in two processes on this machine, over loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torture_campaign.children import Child

from cnn_train.checkpoints.checkpoint import load_checkpoint
from cnn_train.errors import counted

Start = Callable[..., Any]

REPOSITORY = Path(__file__).parents[3]
RUN_FILES = {
    ".lock", "config.yaml", "resolved.yaml", "environment.json", "metrics.jsonl", "last.ckpt",
    "best.ckpt", "step-00000003.ckpt", "step-00000006.ckpt", "learning_curves.png",
}  # fmt: skip
MEET = f"{REPOSITORY}/tests/training/distributed_worker.py:meet_at_once"
LONG = ("--set", "epochs=20000")


@pytest.fixture
def fit(start_command: Start, invite_processes: Start, tiny_config: Path, tmp_path: Path) -> Start:
    """Start two processes of ``cnn-train fit``, on the tiny config unless they resume."""

    def start(*arguments: object) -> list[Child]:
        given = () if "--resume" in arguments else ("--config", tiny_config)
        told = ("fit", *given, "--device", "cpu", *arguments)
        return [
            start_command(*told, cwd=tmp_path, disturb=MEET, **variables)
            for variables in invite_processes(2)
        ]

    return start


def ends(children: list[Child]) -> tuple[list[int], list[str], list[str]]:
    """Return exit codes, stdout and stderr of each process."""
    ended = [child.wait(60) for child in children]
    return ([one.exit_code for one in ended], [one.stdout for one in ended],
            [one.stderr for one in ended])  # fmt: skip


def errors(*texts: str) -> list[str]:
    return [line for text in texts for line in text.splitlines() if line.startswith("error: ")]


def test_under_torchrun_one_process_writes_and_talks_and_both_train(
    cnn_train: Start, tiny_config: Path, tmp_path: Path
) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    ended = subprocess.run(
        [*torchrun, "--nproc-per-node", "2", "-m", "cnn_train", "fit",
         "--config", tiny_config, "--device", "cpu", "--json"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    (run,) = (path for path in (tmp_path / "runs").iterdir() if not path.is_symlink())
    assert {path.name for path in run.iterdir()} == RUN_FILES
    assert document["run_dir"] == str(run.relative_to(tmp_path))
    assert " processes  2 (gloo), 10 images each\n" in ended.stderr
    for words in ("epoch 1/2 ", "epoch 2/2 ", "best validation accuracy", "Drawing shapes"):
        assert ended.stderr.count(words) == 1, words
    assert "Warning" not in ended.stderr
    assert json.loads((run / "environment.json").read_text())["processes"] == "2"
    alone = cnn_train("fit", "--config", tiny_config, "--device", "cpu", "--json").document
    found, expected = (
        load_checkpoint(tmp_path / result["last_checkpoint"]).model for result in (document, alone)
    )
    assert list(found) == list(expected)
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-5, atol=1e-6)
    assert document["val_accuracy"] == alone["val_accuracy"]


@pytest.mark.parametrize(
    ("signum", "exit_code", "heard_by"), [(signal.SIGINT, 130, [0, 1]), (signal.SIGTERM, 143, [1])]
)
def test_a_signal_stops_both_processes_at_one_minibatch_after_saving(
    fit: Start, cnn_train: Start, tmp_path: Path, signum: int, exit_code: int, heard_by: list[int]
) -> None:
    processes = fit(*LONG, "--json")
    processes[0].wait_until_said("epoch 3/")
    for rank in heard_by:
        processes[rank].signal(signum)
    codes, stdout, stderr = ends(processes)
    assert codes == [exit_code, exit_code]
    (message,) = errors(*stderr)
    found = {"code": exit_code, "kind": "interrupted", "message": message.removeprefix("error: ")}
    assert (json.loads(stdout[0]), stdout[1]) == ({"error": found}, "")
    assert "all saved. Go on with: cnn-train fit --resume" in message
    assert stderr[1] == ""
    last = load_checkpoint(tmp_path / "runs" / "latest" / "last.ckpt")
    assert f"in epoch {last.epoch + 1} after {counted(last.position, 'minibatch')}" in message


def test_a_killed_process_ends_the_other_with_one_line_and_the_run_goes_on(
    fit: Start, cnn_train: Start, tmp_path: Path
) -> None:
    processes = fit("--set", "epochs=100")
    processes[0].wait_until_said("epoch 3/")
    processes[1].signal(signal.SIGKILL)
    codes, _, stderr = ends(processes)  # long before the timeout for silent ones
    assert codes == [6, 128 + signal.SIGKILL]
    (message,) = errors(*stderr)
    assert "a process of this run ended or cannot be reached; nothing is lost" in message
    assert "fit --resume runs/tiny-" in message
    assert "Traceback" not in stderr[0]
    assert load_checkpoint(tmp_path / "runs" / "latest" / "last.ckpt").epoch >= 3
    resumed = cnn_train("fit", "--resume", "runs/latest", "--json")
    assert resumed.exit_code == 0
    assert resumed.document["epochs"] == 100
    assert "resuming with processes 1 instead of 2" in resumed.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (["--set", "epoch=3"], 2, "did you mean 'epochs'"),
        (["--set", "batch_size=1"], 2, "too few for 2 processes"),
        (["--set", "optimizer.lr=1e30", "--set", "epochs=20"], 5, "is not finite"),
        (["--resume", "runs/absent"], 4, "no run with a checkpoint"),
    ],
)
def test_what_both_processes_meet_is_said_once(
    fit: Start, arguments: list[str], exit_code: int, words: str
) -> None:
    codes, stdout, stderr = ends(fit(*arguments, "--json"))
    assert codes == [exit_code, exit_code]
    (message,) = errors(*stderr)
    assert words in message
    found = json.loads("".join(stdout))["error"]
    assert (found["code"], f"error: {found['message']}") == (exit_code, message)
    assert not any("Traceback" in text for text in stderr)


def test_a_run_that_another_process_trains_in_is_refused_by_all(
    fit: Start, cnn_train: Start, tiny_config: Path, tmp_path: Path
) -> None:
    from cnn_train.runs.directory import find_run

    cnn_train("fit", "--config", tiny_config)
    with find_run(tmp_path / "runs" / "latest").locked():
        codes, _, stderr = ends(fit("--resume", "runs/latest"))
    assert codes == [7, 6]
    (message,) = errors(*stderr)
    assert "locked by process" in message


def test_the_first_loss_is_that_of_all_processes(
    fit: Start, cnn_train: Start, tiny_config: Path
) -> None:
    """A linear network without augmentation: one process measures the same 20 images at once."""
    codes, _, stderr = ends(fit("--set", "epochs=1"))
    assert codes == [0, 0]
    alone = cnn_train("fit", "--config", tiny_config, "--device", "cpu", "--set", "epochs=1").stderr
    (found,), (expected,) = (
        [line for line in text.splitlines() if line.startswith("first loss")]
        for text in (stderr[0], alone)
    )
    assert found == expected


@pytest.fixture
def free_port() -> int:
    """A port of those that are derived from SLURM's job numbers, free a moment ago."""
    for port in range(15000, 25000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def test_tasks_of_srun_train_one_run(
    start_command: Start, tiny_config: Path, tmp_path: Path, free_port: int
) -> None:
    job = {
        "SLURM_NTASKS": "2",
        "SLURM_JOB_ID": str(free_port - 15000),
        "SLURM_NODELIST": "localhost",
    }
    told = ("fit", "--config", tiny_config, "--device", "cpu", "--set", "epochs=1", "--json")
    tasks = [
        start_command(*told, cwd=tmp_path, SLURM_PROCID=rank, SLURM_LOCALID=rank, **job)
        for rank in ("0", "1")
    ]
    codes, stdout, stderr = ends(tasks)
    assert codes == [0, 0], stderr
    assert " processes  2 (gloo), 10 images each\n" in stderr[0]
    assert stdout[1] == ""
    (run,) = (path for path in (tmp_path / "runs").iterdir() if not path.is_symlink())
    assert json.loads(stdout[0])["run_dir"] == str(run.relative_to(tmp_path))


def test_a_port_in_use_is_named_at_once(
    start_command: Start, tiny_config: Path, tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        first = start_command(
            "fit", "--config", tiny_config, "--json", cwd=tmp_path, WORLD_SIZE="2", RANK="0",
            LOCAL_RANK="0", MASTER_ADDR="127.0.0.1", MASTER_PORT=port,
        )  # fmt: skip
        (code,), (stdout,), (stderr,) = ends([first])
    assert code == 6
    (message,) = errors(stderr)
    assert f"port {port} of 127.0.0.1 is in use by another program; choose another one" in message
    assert json.loads(stdout)["error"]["kind"] == "lost_process"


def test_whoever_is_missing_is_named_while_the_others_wait(
    start_command: Start, tiny_config: Path, tmp_path: Path, free_port: int
) -> None:
    """The first waits for the second, the third looks for the first at a wrong address."""
    with socket.socket() as listener:  # it never answers as a process of the run would
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        ports = {"0": str(free_port), "2": str(listener.getsockname()[1])}
        waiting = {
            rank: start_command(
                "fit", "--config", tiny_config, cwd=tmp_path, WORLD_SIZE="3", RANK=rank,
                LOCAL_RANK=rank, MASTER_ADDR="127.0.0.1", MASTER_PORT=port,
            )
            for rank, port in ports.items()
        }  # fmt: skip
        waiting["0"].wait_until_said("of 3 processes these have not come: 1, 2; start them")
        waiting["2"].wait_until_said(f"process 2 finds none of this run at 127.0.0.1:{ports['2']}")
        for process in waiting.values():
            process.signal(signal.SIGINT)
        codes, _, _ = ends(list(waiting.values()))
    assert codes == [130, 130]


def test_evaluate_refuses_several_processes(
    cnn_train: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    result = cnn_train("evaluate", "runs/latest")
    assert result.exit_code == 2
    assert "evaluate is one process: run it without torchrun" in result.stderr


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there are no two CUDA GPUs")
@pytest.mark.parametrize("sections", [[], ["--set", "model.name=resnet20", "--set",
                                           "sync_batch_norm=true"]])  # fmt: skip
def test_two_gpus_learn_what_one_learns(
    start_processes: Start, cnn_train: Start, tiny_config: Path, tmp_path: Path, sections: list[str]
) -> None:
    arguments = ("fit", "--config", tiny_config, "--device", "cuda", *sections, "--json")
    processes = start_processes("-m", "cnn_train", *arguments, cwd=tmp_path)
    (stdout, stderr), second = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], (stderr, second)
    assert "2 (nccl), 10 images each" in stderr
    alone = cnn_train(*arguments).document
    found, expected = (
        load_checkpoint(tmp_path / result["last_checkpoint"]).model
        for result in (json.loads(stdout), alone)
    )
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-2, atol=1e-3)
