"""The program as a user starts it, for the steps that are about commands."""

import resource
import subprocess
import sys
from pathlib import Path

from .kit import Kit


def cnn_train(
    kit: Kit, *arguments: str | Path, most_memory: int | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run ``cnn-train ARGUMENTS`` in a process of its own, which may have so many bytes."""

    def limit_memory() -> None:
        if most_memory:
            resource.setrlimit(resource.RLIMIT_AS, (most_memory, most_memory))

    return subprocess.run(
        [sys.executable, "-m", "cnn_train", *map(str, arguments)],
        cwd=kit.scratch, capture_output=True, text=True, check=False, preexec_fn=limit_memory,
    )  # fmt: skip


def fit_arguments(kit: Kit, stem: str, *settings: str) -> list[str | Path]:
    """Return the arguments of ``fit`` for a config that ships, on the kit's device and images."""
    sets = [word for setting in kit.overrides(*settings) for word in ("--set", setting)]
    return [
        "fit", "--config", kit.config_file(stem), "--device", kit.device, "--json",
        "--run-root", kit.scratch / "runs", "--data-dir", kit.scratch / "data", *sets,
    ]  # fmt: skip
