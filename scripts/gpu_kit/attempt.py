"""Rows of a single number, and rows whose failure costs no other row of the step."""

import traceback
from collections.abc import Callable
from typing import Any

from benchmarks.measuring import Spread
from benchmarks.rows import Row, Target


def single(part: str, name: str, unit: str, value: float, **more: Any) -> Row:
    """Return the row of one measurement."""
    return Row(part, name, unit, Spread.of([value]), **more)


def missed(part: str, name: str, promise: str, why: object) -> Row:
    """Return a row that says what was promised and why it was not kept."""
    return single(part, name, "", 0, target=Target(promise, False), note=str(why))


def attempt(part: str, name: str, make: Callable[..., Row], *arguments: Any) -> Row:
    """Return the row ``make(name, *arguments)``; where that fails, one that says why and misses."""
    try:
        return make(name, *arguments)
    except Exception as problem:
        traceback.print_exc()
        first_line = str(problem).partition("\n")[0]
        return missed(part, name, "works", f"{type(problem).__name__}: {first_line}")
