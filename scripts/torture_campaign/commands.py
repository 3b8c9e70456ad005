"""What children of the fork server run: the real command line, whole or disturbed."""

import sys
from collections.abc import Sequence
from typing import Any

from .fork_server import resolve


def run_command(arguments: Sequence[str], disturb: dict[str, Any] | None = None) -> None:
    """Run ``cnn-train ARGUMENTS`` as the installed command does; ends with SystemExit.

    disturb: ``call`` (``module:function``) and its ``arguments``: what goes wrong meanwhile.
    """
    from cnn_train.cli.main import main

    if disturb:
        resolve(disturb["call"])(**disturb["arguments"])
    sys.argv = ["cnn-train", *arguments]
    main()
