"""Turn YAML 1.2 text into plain values and record the place of each.

PyYAML scans and parses; the tree is built here from its events, because PyYAML's own builder
resolves scalars by YAML 1.1 and silently keeps the last of two equal keys.

Anchors, aliases, tags and second documents are refused. A config needs none of them, and without
them a tree cannot be larger than its text (no alias bombs), cannot name Python objects, and every
value stands in exactly one place that an error can point to.
"""

import re
from contextlib import suppress
from typing import Any, NoReturn

import yaml

from ..errors import ConfigError
from .document import Document, KeyPath, Place, spell_path
from .scalars import resolve_scalar
from .syntax_errors import explain_syntax_error

# Far above any config (the deepest that ships has 3 levels and 60 nodes), far below Python's
# recursion limit and a second of work.
MAX_DEPTH = 20
MAX_NODES = 2000

# A zero byte ends a file name; half a surrogate pair is no letter, or a byte of a path (PEP 383).
UNUSABLE_CHARACTERS = re.compile("[\0\ud800-\udc7f\udd00-\udfff]")


def parse_document(text: str, source: str) -> Document:
    """Read a whole config; an empty one is the empty mapping, which means all defaults.

    Raises ConfigError with ``source:line:column`` for anything but one YAML mapping.
    """
    return _as_mapping(parse_value(text, source))


def parse_quickly(text: str, source: str) -> Document:
    """Read a whole config by libyaml, where it is installed: in a fifth of the time.

    What libyaml refuses is read again by :func:`parse_document`, whose messages are better.
    """
    with suppress(ConfigError, AttributeError):
        return _as_mapping(_TreeBuilder(source, 0, yaml.CSafeLoader).build(text))
    return parse_document(text, source)


def _as_mapping(document: Document) -> Document:
    if document.tree is None:
        return Document({}, document.keys, document.values)
    if not isinstance(document.tree, dict):
        kind = "a list" if isinstance(document.tree, list) else "a single value"
        raise ConfigError(
            f"{document.values[()]}: the file holds {kind}; write lines of the form 'key: value', "
            "with a space after the colon"
        )
    return document


def parse_value(text: str, source: str, *, layer: int = 0) -> Document:
    """Read any one YAML value: a config's root, or what stands right of an override's ``=``."""
    return _TreeBuilder(source, layer).build(text)


class _TreeBuilder:
    """Consumes the parser's events recursively, one call per node."""

    def __init__(self, source: str, layer: int, loader: Any = yaml.SafeLoader) -> None:
        self.source, self.layer, self.new_loader = source, layer, loader
        self.keys: dict[KeyPath, Place] = {}
        self.values: dict[KeyPath, Place] = {(): Place(layer, 1, 1, source)}
        self.num_nodes = 0

    def build(self, text: str) -> Document:
        try:
            self.loader: Any = self.new_loader(text)  # its methods have no types
            tree = self._stream()
        except yaml.YAMLError as error:
            line, column, problem = explain_syntax_error(error, text)
            raise ConfigError(
                f"{Place(self.layer, line, column, self.source)}: {problem}"
            ) from None
        except ValueError:  # PyYAML does not check the numbers in "\U00110000" and %YAML 1.99…9
            self._refuse(self.loader.get_mark(), "this escape or number is out of range")
        return Document(tree, self.keys, self.values)

    def _stream(self) -> Any:
        self.loader.get_event()  # the stream's start
        if isinstance(self.loader.get_event(), yaml.StreamEndEvent):
            return None
        tree = self._node(())
        self.loader.get_event()  # the document's end
        following = self.loader.get_event()
        if not isinstance(following, yaml.StreamEndEvent):
            self._refuse(following.start_mark, "a second document starts here; keep one per file")
        return tree

    def _node(self, path: KeyPath) -> Any:
        event = self.loader.get_event()
        self._check(event, path)
        self.values[path] = self._place(event.start_mark)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return event.value if event.style else resolve_scalar(event.value)

    def _mapping(self, path: KeyPath) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(self.loader.peek_event(), yaml.MappingEndEvent):
            key = self._key(path)
            mapping[key] = self._node((*path, key))
        self.loader.get_event()
        return mapping

    def _key(self, path: KeyPath) -> str:
        event = self.loader.get_event()
        self._check(event, path)
        if not isinstance(event, yaml.ScalarEvent):
            self._refuse(event.start_mark, "a key must be one word, not a list or a mapping")
        key = (*path, event.value)
        if first := self.keys.get(key):
            self._refuse(
                event.start_mark,
                f"{spell_path(key)}: duplicate key; "
                f"first given in line {first.line}, column {first.column}",
            )
        self.keys[key] = self._place(event.start_mark)
        return str(event.value)

    def _sequence(self, path: KeyPath) -> list[Any]:
        items: list[Any] = []
        while not isinstance(self.loader.peek_event(), yaml.SequenceEndEvent):
            items.append(self._node((*path, len(items))))
        self.loader.get_event()
        return items

    def _check(self, event: Any, path: KeyPath) -> None:
        """Refuse what a config does not need, and too much of anything, as soon as it is met."""
        self.num_nodes += 1
        if len(path) > MAX_DEPTH:
            self._refuse(event.start_mark, f"nested deeper than {MAX_DEPTH} levels; flatten it")
        if self.num_nodes > MAX_NODES:
            self._refuse(event.start_mark, f"more than {MAX_NODES} values; shorten the file")
        if event.anchor is not None:
            sign = "*" if isinstance(event, yaml.AliasEvent) else "&"
            self._refuse(
                event.start_mark,
                f"'{sign}' starts an anchor or alias, which configs cannot have; "
                "write the value out, or quote it if it is text",
            )
        if getattr(event, "tag", None) is not None:
            self._refuse(
                event.start_mark,
                "'!' starts a YAML tag, which configs cannot have; remove it, or quote the text",
            )
        if isinstance(event, yaml.ScalarEvent) and UNUSABLE_CHARACTERS.search(event.value):
            self._refuse(event.start_mark, "an escape in this text names no usable character")

    def _place(self, mark: Any) -> Place:
        return Place(self.layer, mark.line + 1, mark.column + 1, self.source)

    def _refuse(self, mark: Any, problem: str) -> NoReturn:
        raise ConfigError(f"{self._place(mark)}: {problem}")
