"""A step, or one side of a race, in a process of its own: results on stdout, all else on stderr."""

import json
import os
import sys
from typing import TextIO

from .kit import Kit


def keep_stdout() -> TextIO:
    """Return what was stdout; whatever is printed from here on goes to stderr.

    Libraries and other programs print too, also from C, and their lines are not results.
    """
    results = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    sys.stdout.flush()
    os.dup2(2, 1)
    return results


def main() -> None:
    """Do the step that the arguments name; print each row as a line of JSON."""
    from .steps import STEPS

    name, settings = sys.argv[1:]
    results = keep_stdout()
    for row in STEPS[name].rows(Kit.from_json(settings)):
        results.write(json.dumps(row.to_json()) + "\n")


if __name__ == "__main__":
    main()
