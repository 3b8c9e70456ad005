"""Convert checkpoints of older formats to the current one, one version at a time."""

from collections.abc import Callable
from typing import Any

import torch

from ..data.content import UNKNOWN_IMAGES

State = dict[str, Any]
Migration = Callable[[State], State]

FORMAT_VERSION = 4

NO_WARM_UP = 10**18
"""So many updates in an average that the warm-up of no decay below 1 reaches beyond them."""


def migrate(state: State, version: int) -> State:
    """Return the fields of a checkpoint of ``version`` as ``FORMAT_VERSION`` has them.

    Raises KeyError or TypeError where ``state`` is not what that version wrote.
    """
    while version < FORMAT_VERSION:
        state, version = MIGRATIONS[version](state), version + 1
    return state


def _from_1_to_2(state: State) -> State:
    """Add the two fields of format 2: an older run had no import and no changed settings."""
    return {**state, "imported_from": None, "config_changes": []}


def _from_2_to_3(state: State) -> State:
    """Keep what older runs did: a split by position, 16 bits of grey, averages without warm-up.

    Which images their weights were trained on is not known.
    """
    data = {"split": "position", **state["config"]["data"]}
    if data.get("name") == "folder":
        data["grey_bits"] = 16
    return {
        **state,
        "config": {**state["config"], "data": data},
        "training_images": torch.tensor([UNKNOWN_IMAGES]),
        "averaged_updates": NO_WARM_UP if state["averaged_model"] else 0,
    }


def _from_3_to_4(state: State) -> State:
    """No older run chose its images by their losses."""
    return {**state, "image_losses": None}


# For each older format, the function that converts it to the next one. A field that is added to
# Checkpoint gets its value for older files here; a released function never changes.
MIGRATIONS: dict[int, Migration] = {1: _from_1_to_2, 2: _from_2_to_3, 3: _from_3_to_4}
