"""Lift what an older release saved to the format of this one, one version at a time."""

from collections.abc import Callable
from typing import Any

State = dict[str, Any]

FORMAT_VERSION = 2


def migrate(state: State, version: int) -> State:
    """Return the fields of a checkpoint of ``version`` as ``FORMAT_VERSION`` has them.

    Raises KeyError or TypeError where ``state`` is not what that version wrote.
    """
    while version < FORMAT_VERSION:
        state, version = MIGRATIONS[version](state), version + 1
    return state


def _from_1_to_2(state: State) -> State:
    """Before weights could be imported or settings changed, neither had happened."""
    return {**state, "imported_from": None, "config_changes": []}


# One line per format that was ever written: the function that lifts it one version up. A field
# that is added to Checkpoint gets its value for older files here; a released line never changes.
MIGRATIONS: dict[int, Callable[[State], State]] = {1: _from_1_to_2}
