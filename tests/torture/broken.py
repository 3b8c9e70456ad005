"""Programs as they should not be: each is what one probe of the campaign is there to notice."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from cnn_train.checkpoints.checkpoint import Checkpoint, save_checkpoint


def whole(checkpoint: Checkpoint) -> bytes:
    """Return what ``save_checkpoint`` writes."""
    written: list[bytes] = []
    with patch(
        "cnn_train.checkpoints.checkpoint.write_atomically",
        lambda _, *pieces: written.extend(pieces),
    ):
        save_checkpoint(checkpoint, Path())
    return b"".join(written)


def save_in_place(checkpoint: Checkpoint, path: Path) -> None:
    path.write_bytes(whole(checkpoint))


def save_after_removing(checkpoint: Checkpoint, path: Path) -> None:
    content = whole(checkpoint)
    path.unlink()
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def save_without_sync(checkpoint: Checkpoint, path: Path) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(whole(checkpoint))
    temporary.replace(path)


def save_without_directory_sync(checkpoint: Checkpoint, path: Path) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        file.write(whole(checkpoint))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load_without_checksum(path: Path) -> Any:
    return torch.load(io.BytesIO(path.read_bytes()[:-48]), weights_only=True)


def crash_without_tracing(**arguments: Any) -> Any:
    from torture_campaign import system_calls
    from torture_campaign.tracing import TracingNotPermittedError

    def refuse(*_: Any) -> bool:
        raise TracingNotPermittedError

    system_calls.run_to_stop = refuse
    return system_calls.crash_at_each(**arguments)


def answer(number: int) -> int:
    return number + 1


def fail() -> None:
    raise KeyError("a bug")


def spoil(name: str = "") -> None:
    """Spoil the program in one way; and draw no learning curves, which take half of a tiny run."""
    from cnn_train.training.run_files import RunFiles

    RunFiles.save_curves = lambda files: None  # type: ignore[method-assign]
    if name:
        globals()[name]()


def forget_momentum() -> None:
    from cnn_train.training import resuming

    resuming.load_optimizer_state = lambda *_: None


def save_nothing_and_leave_a_child() -> None:
    """End at once by SIGTERM, as programs without a handler do."""
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    signal.signal = lambda *_: None  # type: ignore[assignment]


def hear_no_signal() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal = lambda *_: None  # type: ignore[assignment]


def raise_errors_as_they_come() -> None:
    from cnn_train.checkpoints import checkpoint

    checkpoint.write_atomically = lambda path, *pieces: path.write_bytes(b"".join(pieces))


def stumble_over_configs() -> None:
    from cnn_train.cli.fit import starting

    starting.load_settings = lambda *_, **__: {}["epochs"]


def sleep_first() -> None:
    time.sleep(60)
