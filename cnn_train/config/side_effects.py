"""What ``--set`` does to settings of the file that it does not name: worth a warning."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from .document import Document
from .explain import TAGS
from .known_keys import section_types
from .scalars import render_value


def side_effects(before: Document, after: Document, experiment: BaseModel) -> Iterator[str]:
    """Say, in a line per section, which of the file's settings overrides drop or carry over.

    Dropped: a whole section was set, and a setting that it still has is another one now. Carried
    over: only the component's name was set, and the new component's own default is another one.
    """
    for section, old in (before.tree or {}).items():
        if not isinstance(old, dict):
            continue
        now = getattr(experiment, section)
        if _is_set(after, section):
            if lost := list(_lost(old, after.tree[section], now.model_dump(mode="json"))):
                yield (
                    f"{after.keys[section,]}: replaces the section and drops the file's "
                    f"{', '.join(lost)}; --set {section}.KEY=VALUE changes one setting alone"
                )
        elif tag := next((tag for tag in TAGS if _is_set(after, section, tag)), None):
            given = {key: old[key] for key in old if not _is_set(after, section, key)}
            field = type(experiment).model_fields[section]
            chosen = old.get(tag, getattr(field.default, tag, None))
            types = section_types(field.annotation)
            if kept := list(_kept(given, chosen, tag, types, now)):
                yield f"{after.keys[section, tag]}: keeps the file's {', '.join(kept)}"


def _is_set(document: Document, *path: str) -> bool:
    """Say whether an override set this, rather than the file."""
    return path in document.keys and document.keys[path].layer > 0


def _lost(old: dict[str, Any], new: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    for key, value in old.items():
        if key in now and key not in new and now[key] != value:
            yield f"{key}: {render_value(value)} (now {render_value(now[key])})"


def _kept(
    given: dict[str, Any], old: Any, tag: str, types: list[type[BaseModel]], new: BaseModel
) -> Iterator[str]:
    """Name each setting with the default of ``new``, where that of the ``old`` one is another."""
    known = (one for one in types if old in get_args(one.model_fields[tag].annotation))
    before, fields = next(known, type(new)).model_fields, type(new).model_fields
    for key, value in given.items():
        own = fields[key].default
        if key in before and before[key].default != own and value != own:
            default = f"{getattr(new, tag)}'s default: {render_value(own)}"
            yield f"{key}: {render_value(value)} ({default})"
