"""What differs between two configs, setting by setting."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .scalars import render_value

ABSENT = "absent"


@dataclass(frozen=True)
class Difference:
    """One setting, by its dotted key, as it was and as it is to be."""

    key: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.key}: {render_value(self.before)} before, {render_value(self.after)} now"

    def is_below(self, keys: Sequence[str]) -> bool:
        """Say whether one of ``keys`` is this setting or a section that holds it."""
        return any(self.key == key or self.key.startswith(f"{key}.") for key in keys)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """List the settings that differ, in the order of the first tree, then of the second."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    changes = (Difference(key, old.get(key, ABSENT), new.get(key, ABSENT)) for key in old | new)
    return [change for change in changes if change.before != change.after]


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
