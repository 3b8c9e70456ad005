"""Say what is wrong with a value, what was expected and, where it is clear, what to write."""

import re
from typing import Any, get_args

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from .scalars import COMMA_NUMBER, render_value, resolve_scalar
from .spelling import nearest

MAX_SHOWN_CHARACTERS = 60

# What a field expects, by the first word of pydantic's error type (float_type, float_parsing, …).
WANTED = {
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "string": "text",
    "path": "a path",
    "tuple": "a list",
    "list": "a list",
    "dict": "a section of keys",
    "model": "a section of keys",
    "none": "null",
}
RANGE_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}

YAML_1_1_BOOLEANS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
THOUSANDS = re.compile(r"[0-9]{1,3}(,[0-9]{3})+", re.ASCII)
BASE_60 = re.compile(r"[0-9]{1,9}(:[0-5]?[0-9]){1,5}", re.ASCII)


def expectation(details: ErrorDetails, value: Any, field: FieldInfo | None) -> tuple[str, str]:
    """Return what is wrong with the value, and what the field expects."""
    kind = details["type"]
    if kind == "literal_error":
        return f"{show(value)} is unknown", details["ctx"]["expected"]
    if kind.startswith(("greater_than", "less_than")):
        return f"{show(value)} is out of range", f"a number {_allowed_range(details, field)}"
    if kind == "finite_number":
        return f"{show(value)} is not finite", f"a number {_allowed_range(details, field)}".strip()
    wanted = WANTED.get(kind.partition("_")[0])
    if wanted and kind.endswith(("_type", "_parsing", "_from_float", "_required")):
        return name_kind(value), f"{wanted} {_allowed_range(details, field)}".strip()
    if kind == "too_short":
        return f"{show(value)} is too short", f"a list of at least {details['ctx']['min_length']}"
    if kind == "too_long":
        return f"{show(value)} is too long", f"a list of at most {details['ctx']['max_length']}"
    _, _, demand = details["msg"].partition(" should ")
    return f"{show(value)} is not allowed", demand or details["msg"]


def remedy(details: ErrorDetails, value: Any, field: FieldInfo | None) -> str | None:
    """Return what to write instead, where the user's intention is clear."""
    wanted = details["type"].partition("_")[0]
    if wanted == "literal":
        choices = re.findall(r"'([^']*)'", details["ctx"]["expected"])
        guess = nearest(value, choices)
        return f"did you mean {guess!r}? choices: {', '.join(choices)}" if guess else None
    if wanted in ("int", "float"):
        return _as_number(value, whole=wanted == "int")
    if wanted == "bool":
        word = str(value).lower()
        word = YAML_1_1_BOOLEANS.get(word, word)
        return f"write {word}" if word in ("true", "false") else None
    if wanted in ("string", "path") and isinstance(value, bool | int | float):
        return f"write {render_value(render_value(value))}"
    if wanted in ("tuple", "list") and isinstance(value, int | float):
        places = get_args(field.annotation) if field else ()
        is_long = len(places) > 1 and Ellipsis not in places
        return f"write a list of {len(places)}" if is_long else f"write {render_value([value])}"
    return None


MAX_SUGGESTED = 1e9  # no setting that ships is larger; a longer number would not help


def name_kind(value: Any) -> str:
    """Say what kind of YAML value stands there."""
    if value is None:
        return "the value is empty"
    kinds = {
        str: "a string",
        bool: "a boolean",
        int: "a whole number",
        float: "a decimal number",
        list: "a list",
        dict: "a section",
    }
    return f"{show(value)} is {kinds.get(type(value), type(value).__name__)}"


def show(value: Any) -> str:
    """Write a value for a message: strings always in quotes, on one line, cut where long."""
    try:
        text = render_value(value)
    except TypeError:  # only Python callers can pass what YAML cannot hold
        text = " ".join(repr(value).split())
    if isinstance(value, str) and not text.startswith('"'):
        text = f'"{text}"'
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[:MAX_SHOWN_CHARACTERS] + "…"


def _allowed_range(details: ErrorDetails, field: FieldInfo | None) -> str:
    """Return all bounds of the field, ``> 0 and < 1``, or the one that the error names."""
    constraints = field.metadata if field else []
    bounds = {
        name: getattr(constraint, name)
        for name in RANGE_SIGNS
        for constraint in constraints
        if hasattr(constraint, name)
    }
    bounds = bounds or details.get("ctx", {})
    return " and ".join(
        f"{sign} {render_value(bounds[name])}"
        for name, sign in RANGE_SIGNS.items()
        if name in bounds
    )


def _as_number(value: Any, *, whole: bool) -> str | None:
    if isinstance(value, str) and BASE_60.fullmatch(value):
        number: Any = 0
        for digits in value.split(":"):
            number = number * 60 + int(digits)
        return f"YAML 1.2 has no base-60 numbers; write {number}"
    if isinstance(value, str) and (THOUSANDS if whole else COMMA_NUMBER).fullmatch(value):
        value = value.replace(",", "" if whole else ".")
    number = resolve_scalar(value.replace("_", "")) if isinstance(value, str) else value
    if isinstance(number, float) and whole and number.is_integer():
        number = int(number)
    is_wanted = isinstance(number, int) or (isinstance(number, float) and not whole)
    if not is_wanted or isinstance(number, bool) or not abs(number) < MAX_SUGGESTED:  # nan is not
        return None
    return f"write {render_value(number)}"
