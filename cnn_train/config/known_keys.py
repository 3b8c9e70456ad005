"""Which keys an experiment's model knows, and which of them a user probably meant."""

import difflib
import types
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo


def section_types(annotation: Any) -> list[type[BaseModel]]:
    """Return every config class that an annotation admits, through unions and Annotated."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [section for part in get_args(annotation) for section in section_types(part)]


def field_of(sections: Iterable[type[BaseModel]], key: str | int) -> FieldInfo | None:
    """Return the field called ``key`` in the first of the config classes that has it."""
    return next(
        (section.model_fields[key] for section in sections if key in section.model_fields), None
    )


def key_paths(section: type[BaseModel], prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every setting at any depth, over all variants of each section."""
    for name, field in section.model_fields.items():
        yield (*prefix, name)
        for inner in section_types(field.annotation):
            yield from key_paths(inner, (*prefix, name))


def nearest(name: object, choices: Iterable[str]) -> str | None:
    """Return the choice most like ``name`` in spelling, upper and lower case being equal."""
    by_folded = {choice.casefold(): choice for choice in choices}
    matches = difflib.get_close_matches(str(name)[:100].casefold(), by_folded, n=1)
    return by_folded[matches[0]] if matches else None


def suggest_key(
    path: tuple[str | int, ...], siblings: list[str], experiment_type: type[BaseModel]
) -> str:
    """Say what to write instead of the unknown key at the end of ``path``."""
    if sibling := nearest(path[-1], siblings):
        return f"did you mean {sibling!r}?"
    elsewhere = {known for known in key_paths(experiment_type) if known[-1] == path[-1]}
    if path in elsewhere:
        return f"another kind of {path[-2]} has it; this one knows: {', '.join(siblings)}"
    if len(elsewhere) == 1:
        return f"did you mean {'.'.join(elsewhere.pop())!r}?"
    return f"known keys: {', '.join(siblings)}"
