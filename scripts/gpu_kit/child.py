"""A step, or one side of a race, in a process of its own: results on stdout, all else on stderr."""

import json
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from cnn_train.machine.device import resolve_device

from .kit import Kit
from .our_run import OurRun
from .peers import PeerRun, find_script
from .steps import STEPS


def keep_stdout() -> TextIO:
    """Return what was stdout; whatever is printed from here on goes to stderr.

    Libraries and other programs print too, also from C, and their lines are not results.
    """
    results = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    sys.stdout.flush()
    os.dup2(2, 1)
    return results


def do_step(kit: Kit, name: str) -> Iterator[dict[str, Any]]:
    """Do a step; yield its rows."""
    for row in STEPS[name].rows(kit):
        yield row.to_json()


def race(kit: Kit, name: str) -> Iterator[dict[str, float]]:
    """Run once for each seed that comes in by stdin; yield what each run reached.

    name: the script of a peer, or a config of ours with changed settings after commas.
    """
    run: OurRun | PeerRun
    if name.endswith(".py"):
        device = resolve_device(kit.device).torch_device
        run = PeerRun(find_script(kit.peers, name), device)
    else:
        run = OurRun(kit, *name.split(", "))
    for line in sys.stdin:
        yield run(json.loads(line))


def main() -> None:
    """Do what the arguments name; print each result as a line of JSON."""
    kind, name, settings = sys.argv[1:]
    results = keep_stdout()
    work = {"step": do_step, "side": race}[kind]
    for result in work(Kit.from_json(settings), name):
        results.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
