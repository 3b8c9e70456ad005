"""One side of a race in a process of its own: for each seed on stdin, what it reached on stdout."""

import json
import sys
from collections.abc import Callable

from .child import keep_stdout
from .kit import Kit


def get_ready(kit: Kit, name: str) -> Callable[[int], dict[str, float]]:
    """Return what runs once per call: a peer for a script's name, else a config of ours."""
    if not name.endswith(".py"):
        from .our_run import OurRun

        stem, *more = name.split(", ")
        return OurRun(kit, stem, *more)
    from cnn_train.machine.device import resolve_device

    from .peers import PeerRun, find_script

    return PeerRun(find_script(kit.peers, name), resolve_device(kit.device).torch_device)


def main() -> None:
    """Run for each seed that comes in."""
    settings, name = sys.argv[1:]
    results = keep_stdout()
    run = get_ready(Kit.from_json(settings), name)
    for line in sys.stdin:
        results.write(json.dumps(run(json.loads(line))) + "\n")


if __name__ == "__main__":
    main()
