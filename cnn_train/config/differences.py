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
    return [Difference(key, *values) for key, values in differing([before, after]).items()]


def differing(trees: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the settings in which any two trees differ, by dotted key, each with all values."""
    flat = [dict(leaves(tree)) for tree in trees]
    keys = dict.fromkeys(key for one in flat for key in one)
    rows = {key: [one.get(key, ABSENT) for one in flat] for key in keys}
    return {key: values for key, values in rows.items() if any(v != values[0] for v in values)}


def leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every setting by its dotted key."""
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
