"""Run the whole program as its users do: through ``main()``, or in a process of its own."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest

REPOSITORY = Path(__file__).parents[2]

TINY = """\
data: {name: shapes, num_train: 60, num_test: 20, image_size: 16}
model: {name: linear}
optimizer: {name: sgd, lr: 0.01}
batch_size: 20
epochs: 1
precision: float32
"""


class Ended(NamedTuple):
    """How the program ended and what it wrote."""

    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def run_main() -> Callable[..., Ended]:
    """Return a function that runs ``cnn-train ARGUMENTS`` here; a traceback fails the test."""
    from cnn_train.cli.main import main

    def run(*arguments: object, stdin: bytes = b"", encoding: str = "utf-8") -> Ended:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding) for _ in range(2))
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", ["cnn-train", *map(str, arguments)])
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            with pytest.raises(SystemExit) as end:
                main()
        for stream in (out, err):
            stream.seek(0)
        return Ended(int(end.value.code or 0), out.read(), err.read())

    return run


@pytest.fixture(scope="session")
def run_shell() -> Callable[..., Ended]:
    """Return a function that runs a shell command in which ``$CNN_TRAIN`` is the program.

    Keyword arguments are environment variables; None removes one.
    """

    def run(command: str, cwd: Path, **variables: str | None) -> Ended:
        given = {
            "CNN_TRAIN": f"{sys.executable} -m cnn_train",
            "PYTHONPATH": str(REPOSITORY),
            "OMP_NUM_THREADS": "1",
            **variables,
        }
        environment: dict[str, Any] = {**os.environ, **given}
        ended = subprocess.run(
            ["bash", "-c", command],
            cwd=cwd,
            env={name: value for name, value in environment.items() if value is not None},
            capture_output=True,
            timeout=120,
            check=False,
        )
        written = [text.decode(errors="surrogateescape") for text in (ended.stdout, ended.stderr)]
        return Ended(ended.returncode, *written)

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, run_main: Callable[..., Ended]) -> Path:
    """Return a folder that holds ``tiny.yaml`` and its trained run, ``runs/latest``."""
    folder = tmp_path_factory.mktemp("trained")
    config = folder / "tiny.yaml"
    config.write_text(TINY)
    ended = run_main("fit", "--config", config, "--run-root", folder / "runs")
    assert ended.exit_code == 0, ended.stderr
    return folder
