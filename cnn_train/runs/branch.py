"""Where a run left another one: what its ``branch.json`` says."""

from contextlib import suppress
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ..errors import CheckpointError
from ..machine.regular_file import read_regular
from .damage import damage_named
from .directory import RunDirectory

MOST_BYTES = 1_000_000


class Branch(BaseModel):
    """What ``cli/fit/branching.py`` writes: the run that was left, the updates until then, changes.

    parent: its folder's name; parent_dir: the folder, as it lay then. changes: each with key,
    before and after. Up to ``step``, both runs are one.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    parent: str
    parent_dir: str
    step: Annotated[int, Field(ge=0)]
    changes: list[dict[str, Any]]


def load_branch(run: RunDirectory) -> Branch | None:
    """Read where a run comes from; None where it is no branch; raises CheckpointError."""
    with damage_named(run.origin), suppress(FileNotFoundError):
        return Branch.model_validate_json(read_regular(run.origin, MOST_BYTES))
    return None


def departure(run: RunDirectory) -> int | None:
    """Return the updates that a branch shares with its parent; None where nobody knows of any."""
    with suppress(CheckpointError):
        branch = load_branch(run)
        return branch.step if branch else None
    return None
