"""Turn pydantic's errors into findings: one line each, with place, value and what to write."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from .document import Document, KeyPath, Place, spell_path
from .known_keys import field_of, section_types, suggest_key
from .remedies import expectation, name_kind, remedy, show
from .spelling import nearest


@dataclass
class _Finding:
    """What is wrong at one place, with the remedy or, if there is none, what was expected."""

    place: Place
    path_text: str
    complaint: str
    remedy: str | None = None
    expected: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        advice = self.remedy
        if advice is None and self.expected:
            advice = f"expected {' or '.join(self.expected)}"
        where = f"{self.place}: {self.path_text}" if self.path_text else str(self.place)
        return f"{where}: {self.complaint}" + (f"; {advice}" if advice else "")


@dataclass(frozen=True)
class _Spot:
    """The part of the tree that an error is about, and what the model says about it."""

    path: KeyPath
    value: Any
    field: FieldInfo | None
    parents: list[type[BaseModel]]


def describe_errors(
    errors: ValidationError, document: Document, experiment_type: type[BaseModel]
) -> list[str]:
    """Return one line per finding, in the order in which their places stand in the config."""
    findings: dict[KeyPath, _Finding] = {}
    for details in errors.errors(include_url=False):
        spot = _find_spot(details, document.tree, experiment_type)
        if details["type"] == "too_short" and details["ctx"]["actual_length"] < len(spot.value):
            continue  # pydantic left out wrong items, each of which has its own finding
        finding = _describe(details, spot, document, experiment_type)
        if spot.path in findings:  # a field of several types has an error from each of them
            findings[spot.path].expected += finding.expected
        else:
            findings[spot.path] = finding
    # A wrong item says more than that its list is no word, where a field may be either.
    lists = {path[:-1] for path in findings if path and isinstance(path[-1], int)}
    named = [finding for path, finding in findings.items() if path not in lists]
    return list(map(str, sorted(named, key=lambda finding: finding.place)))


def _find_spot(details: ErrorDetails, tree: Any, experiment_type: type[BaseModel]) -> _Spot:
    """Follow pydantic's location, which also names chosen classes, through the tree."""
    spot = _Spot((), tree, None, [])
    sections: list[type[BaseModel]] = [experiment_type]
    for step in details["loc"]:
        chosen = [section for section in sections if section.__name__ == step]
        if chosen and len(sections) > 1:
            sections = chosen
        elif _contains(spot.value, step):
            inner = field_of(sections, step)
            spot = _Spot((*spot.path, step), spot.value[step], inner, sections)
            sections = section_types(inner.annotation) if inner else []
    if details["type"] == "missing":
        key = details["loc"][-1]
        return _Spot((*spot.path, key), None, field_of(sections, key), sections)
    return spot


def _contains(value: Any, step: str | int) -> bool:
    if isinstance(value, list | tuple):
        return isinstance(step, int) and step < len(value)
    return isinstance(value, dict) and step in value


def _describe(
    details: ErrorDetails, spot: _Spot, document: Document, experiment_type: type[BaseModel]
) -> _Finding:
    key_place, path_text = document.place_of_key(spot.path), spell_path(spot.path)
    match details["type"]:
        case "extra_forbidden":
            siblings = [name for parent in spot.parents for name in parent.model_fields]
            suggestion = _suggest_whole_section(spot.path, document) or suggest_key(
                spot.path, siblings, experiment_type
            )
            return _Finding(key_place, path_text, "unknown key", suggestion)
        case "missing":
            meaning = spot.field.description if spot.field else None
            return _Finding(key_place, path_text, "missing", f"give the {meaning or 'value'}")
        case "value_error" | "assertion_error":
            return _Finding(key_place, path_text, str(details["ctx"]["error"]))
        case "unknown_tag":
            return _describe_unknown_tag(details, spot, document)
    place = document.place_of_value(spot.path)
    complaint, expected = expectation(details, spot.value, spot.field)
    advice = remedy(details, spot.value, spot.field)
    return _Finding(place, path_text, complaint, advice, [expected])


def _suggest_whole_section(path: KeyPath, document: Document) -> str | None:
    """Advise where an override chose another component for a section that was written before."""
    *section, key = path
    for tag in ("name", "kind"):
        chosen = document.keys.get((*section, tag))
        if section and chosen and chosen.layer > document.keys[path].layer:
            name = document.values[(*section, tag)].source.partition("=")[2]
            whole = f"'{spell_path(tuple(section))}={{{tag}: {name}}}'"
            return f"{chosen} keeps it; to leave {key} and its like out: --set {whole}"
    return None


def _describe_unknown_tag(details: ErrorDetails, spot: _Spot, document: Document) -> _Finding:
    tag, choices = details["ctx"]["tag"], details["ctx"]["choices"]
    is_section = isinstance(spot.value, dict)
    path, name = ((*spot.path, tag), spot.value[tag]) if is_section else (spot.path, spot.value)
    place, path_text = document.place_of_value(path), spell_path(path)
    guess = nearest(name, choices.split(", "))
    if is_section:
        hint = f"did you mean {guess!r}? " if guess else ""
        return _Finding(place, path_text, f"{show(name)} is unknown", f"{hint}choices: {choices}")
    advice = f"write {{{tag}: {guess or 'NAME'}}}, one of: {choices}"
    if name is None:
        advice += "; or remove the line for the default"
    return _Finding(place, path_text, name_kind(name), advice)
