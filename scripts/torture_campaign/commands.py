"""What children of the fork server run: the real command line, whole or disturbed."""

import os
import sys
from collections.abc import Sequence
from typing import Any

from .fork_server import resolve

Disturbance = dict[str, Any]


def run_command(arguments: Sequence[str], disturbances: Sequence[Disturbance] = ()) -> None:
    """Run ``cnn-train ARGUMENTS`` as the installed command does; ends with SystemExit.

    A disturbance is something that goes wrong: a ``call`` (``module:function``), its ``arguments``.
    """
    from cnn_train.cli.main import main

    for one in disturbances:
        resolve(one["call"])(**one["arguments"])
    sys.argv = ["cnn-train", *arguments]
    main()


def run_cold_command(arguments: Sequence[str]) -> None:
    """Run ``cnn-train ARGUMENTS`` in this process, from nothing: every import is made anew."""
    os.execv(sys.executable, [sys.executable, "-m", "cnn_train", *arguments])


def set_environment(**variables: str) -> None:
    """Be started with these environment variables."""
    os.environ.update(variables)
