"""Files, folders, names and formulas that are made to break whoever reads them, by kind."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

KINDS = {
    "checkpoints": "sealed and senseless checkpoints",
    "sizes": "files that claim or hold too much",
    "runs": "odd run folders",
    "caches": "sealed and senseless caches",
    "names": "names of any letters",
    "links": "links in circles",
    "formulas": "formulas without end",
    "images": "images that cost too much",
}
"""The module below this one that makes the trials of each kind, and what its row says."""

REFUSALS = (0, 2, 3, 4, 5)
"""How a command may end that was given something hostile: it was used after all, or refused."""

MOST_SECONDS, MOST_MEGABYTES = 5.0, 1000.0
"""What one hostile thing may cost, whatever it is."""


@dataclass(frozen=True)
class Trial:
    """A command that meets something hostile; ``name`` says what, and is unlike all others."""

    name: str
    arguments: list[object]


@dataclass(frozen=True)
class Ground:
    """Where hostile things are laid out.

    folder: empty. run: the directory of a finished run on images of 16 pixels. dice: what decides
    which of endlessly many things are made.
    """

    folder: Path
    run: Path
    dice: random.Random


def make_trials(kind: str, ground: Ground, number: int) -> Iterator[Trial]:
    """Lay out about so many hostile things of a kind, one as each trial is asked for."""
    trials: Callable[[Ground, int], Iterator[Trial]]
    trials = import_module(f"{__name__}.{kind}").trials
    return trials(ground, number)
