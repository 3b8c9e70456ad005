"""Run ``cnn-train`` in this process where a test would start another, which imports anew."""

import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from cnn_train.cli import console
from cnn_train.cli.main import main


def run_here(
    command: list[str], cwd: Path, env: dict[str, str], **_: object
) -> "subprocess.CompletedProcess[str]":
    """Stand in for ``subprocess.run([python, "-m", "cnn_train", …])``; both streams are one."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as printed:
        patch.chdir(cwd)
        patch.setattr(sys, "argv", command[2:])
        patch.setenv("COLUMNS", env["COLUMNS"])
        for screen in (console.stdout, console.stderr):
            patch.setattr(screen, "width", int(env["COLUMNS"]))
        with redirect_stderr(printed), pytest.raises(SystemExit) as end:
            main()
    return subprocess.CompletedProcess(command, int(end.value.code or 0), printed.getvalue())
