"""The program as a user starts it, for the steps that are about commands."""

import resource
import subprocess
import sys
from pathlib import Path

from .kit import Kit

TOY_MOST_MEMORY = 16 * 2**30


def cnn_train(kit: Kit, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run ``cnn-train ARGUMENTS`` in a process of its own; at toy size it may have 16 GiB."""

    def limit_memory() -> None:
        if kit.toy:
            resource.setrlimit(resource.RLIMIT_AS, (TOY_MOST_MEMORY, TOY_MOST_MEMORY))

    command = [sys.executable, "-m", "cnn_train", *map(str, arguments)]
    return subprocess.run(
        command, cwd=kit.scratch, capture_output=True, text=True, preexec_fn=limit_memory
    )


def last_line(outcome: "subprocess.CompletedProcess[str]") -> str:
    """Return what a command said last on stderr: where it failed, the error."""
    return outcome.stderr.strip().rpartition("\n")[2]


def fit_arguments(kit: Kit, stem: str, *settings: str) -> list[str | Path]:
    """Return the arguments of ``fit`` for a config that ships, on the kit's device and images."""
    sets = [word for setting in kit.overrides(*settings) for word in ("--set", setting)]
    return [
        "fit", "--config", kit.config_file(stem), "--device", kit.device, "--json",
        "--run-root", kit.scratch / "runs", "--data-dir", kit.scratch / "data", *sets,
    ]  # fmt: skip
