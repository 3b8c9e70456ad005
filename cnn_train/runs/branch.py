"""Where a run left another one: what its ``branch.json`` says."""

import math
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ..errors import CheckpointError
from ..machine.regular_file import read_regular
from .damage import damage_named
from .directory import RunDirectory

MOST_BYTES = 1_000_000


class Branch(BaseModel):
    """Name the run that was left, and the updates that both share.

    ``cli/fit/branching.py`` writes more, for whoever opens the file: the folder and the changes.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    parent: Annotated[str, Field(max_length=255, pattern=r"[^.]")]
    step: Annotated[int, Field(ge=0)]


def load_branch(run: RunDirectory) -> Branch | None:
    """Read where a run comes from; None where it is no branch; raises CheckpointError."""
    with damage_named(run.origin), suppress(FileNotFoundError):
        return Branch.model_validate_json(read_regular(run.origin, MOST_BYTES))
    return None


def left_run(run: RunDirectory) -> tuple[RunDirectory, int] | None:
    """Return the run that a branch left, if it still lies beside it, and the updates both share."""
    with suppress(CheckpointError, OSError, ValueError):  # a name may be one that no file has
        if branch := load_branch(run):
            beside = RunDirectory(run.path.parent / Path(branch.parent).name)
            return (beside, branch.step) if beside.can_go_on else None
    return None


def states_from_start(run: RunDirectory) -> dict[int, Path]:
    """Return a run's states; of a branch, from the start on: those that it shares come first."""
    found, shared, seen = run.every_state, math.inf, {run.path}
    while (origin := left_run(run)) and origin[0].path not in seen:
        run, shared = origin[0], min(origin[1], shared)
        seen.add(run.path)
        found = {step: path for step, path in run.every_state.items() if step <= shared} | found
    return dict(sorted(found.items()))


def departure(run: RunDirectory) -> int | None:
    """Return the updates that a branch shares with its run; None for others, or where damaged."""
    with suppress(CheckpointError):
        if branch := load_branch(run):
            return branch.step
    return None
