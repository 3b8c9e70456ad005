"""What one failure inside a step costs: its own row, and no other."""

import traceback
from collections.abc import Callable
from typing import Any

from benchmarks.measuring import Spread
from benchmarks.rows import Row, Target


def attempt(part: str, name: str, make: Callable[..., Row], *arguments: Any) -> Row:
    """Return the row ``make(name, *arguments)``; where that fails, one that says why and misses."""
    try:
        return make(name, *arguments)
    except Exception as problem:
        traceback.print_exc()
        first_line = str(problem).partition("\n")[0]
        why = f"{type(problem).__name__}: {first_line}"
        return Row(part, name, "", Spread.of([0]), target=Target("works", False), note=why)
