"""A config as plain values, with the place where each key and value was written."""

from dataclasses import dataclass
from typing import Any

KeyPath = tuple[str | int, ...]

MAX_SPELLED_CHARACTERS = 60


@dataclass(frozen=True, order=True)
class Place:
    """Where a key or value stands. Places sort in reading order: the file first, then overrides.

    layer: 0 for the file, n for the n-th override. line, column: counted from 1.
    """

    layer: int
    line: int
    column: int
    source: str

    def __str__(self) -> str:
        """Return ``file:line:column``, or an override's own text."""
        return self.source if self.layer else f"{self.source}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Document:
    """A tree of dicts, lists and scalars; ``keys`` and ``values`` say where each part stands.

    The root has the path ``()``, a value but no key; a list's items have values but no keys.
    """

    tree: Any
    keys: dict[KeyPath, Place]
    values: dict[KeyPath, Place]

    def place_of_key(self, path: KeyPath) -> Place:
        """Return the place of the last key on ``path`` that was written down."""
        while path and path not in self.keys:
            path = path[:-1]
        return self.keys[path] if path else self.values[()]

    def place_of_value(self, path: KeyPath) -> Place:
        """Return the place of the value at ``path``, or of the key nearest to it."""
        return self.values.get(path) or self.place_of_key(path)


def spell_path(path: KeyPath) -> str:
    """Write a path as users type it, ``schedule.milestones[0]``, cut where it is absurdly long."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + (step if step.isidentifier() else repr(step))
    return text if len(text) <= MAX_SPELLED_CHARACTERS else text[:MAX_SPELLED_CHARACTERS] + "…"
