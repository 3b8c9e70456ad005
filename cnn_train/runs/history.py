"""States by their number of updates: as files of a run, and as a user names one: ``RUN@STEP``."""

import re
from collections.abc import Mapping
from os.path import exists, isdir  # they never raise
from pathlib import Path

from ..errors import CheckpointError, name_some

HISTORY = "history"
"""The folder of a run that holds the states which stay."""

STATE_NAME = re.compile(r"step-([0-9]{8,})\.ckpt")
AT_STEP = re.compile(r"(.+)@([0-9]{1,18})", re.DOTALL)
MOST_NAMED = 40


def state_name(step: int) -> str:
    """Return the name of the file of the state after ``step`` updates."""
    return f"step-{step:08}.ckpt"


def states_in(folder: Path) -> dict[int, Path]:
    """Return the states in a folder by their number of updates, oldest first."""
    files = filter(Path.is_file, folder.iterdir() if isdir(folder) else ())  # noqa: PTH112
    matches = [(STATE_NAME.fullmatch(path.name), path) for path in files]
    return dict(sorted((int(match[1]), path) for match, path in matches if match))


def run_folder(checkpoint: Path) -> Path:
    """Return the run directory that holds a checkpoint, itself or in its history."""
    is_kept = checkpoint.parent.name == HISTORY and STATE_NAME.fullmatch(checkpoint.name)
    return checkpoint.parent.parent if is_kept else checkpoint.parent


def split_step(word: Path) -> tuple[Path, int | None]:
    """Return run and step of ``RUN@STEP``; of any other path, or of a file so called, no step."""
    match = AT_STEP.fullmatch(str(word))
    if match is None or exists(word):  # noqa: PTH110
        return word, None
    return Path(match[1]), int(match[2])


def choose_state(states: Mapping[int, Path], step: int, run: Path) -> Path:
    """Return the state after ``step`` updates; CheckpointError, which lists them, without it."""
    if step not in states:
        known = f"there are {name_some([*map(str, states)], MOST_NAMED)}" if states else "no others"
        raise CheckpointError(
            f"{run}@{step}: no state of update {step} is kept; {known} (in a new run, "
            "checkpoint.keep_steps or keep_history: log keep more)"
        )
    return states[step]
