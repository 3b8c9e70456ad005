import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gpu_kit.kit import Kit


@pytest.fixture
def make_kit(tmp_path: Path) -> Callable[..., Kit]:
    """Make the settings of a toy run whose folders exist."""

    def make(**changes: Any) -> Kit:
        places = {"out": tmp_path / "out", "scratch": tmp_path / "scratch"}
        for place in places.values():
            place.mkdir(exist_ok=True)
        settings: dict[str, Any] = {
            "device": "cpu", "toy": True, "seeds": 2, "images": None, "peers": None,
            "deadline": time.time() + 1000, **places
        }  # fmt: skip
        return Kit(**settings | changes)

    return make
