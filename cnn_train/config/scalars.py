"""Numbers, words and truth values by the YAML 1.2 core schema, in both directions.

PyYAML implements YAML 1.1, which reads ``1e-3`` as a string, ``no`` as false, ``010`` as 8 and
``1:30`` as 90. The patterns below are those of the YAML 1.2.2 specification, section 10.3.2.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

from ..errors import UsageError

Scalar = None | bool | int | float | str

# A run of more than 100 digits stays a string: no setting needs it, and Python refuses to print
# or read whole numbers of more than 4300 digits.
DIGITS = "[0-9]{1,100}"

CORE_SCHEMA: tuple[tuple[str, Callable[[str], Scalar]], ...] = (
    (r"null|Null|NULL|~|", lambda text: None),
    (r"true|True|TRUE|false|False|FALSE", lambda text: text[0] in "tT"),
    (rf"[-+]?{DIGITS}", int),
    (r"0o[0-7]{1,100}", lambda text: int(text[2:], 8)),
    (r"0x[0-9a-fA-F]{1,100}", lambda text: int(text[2:], 16)),
    (rf"[-+]?(\.{DIGITS}|{DIGITS}(\.[0-9]{{0,100}})?)([eE][-+]?{DIGITS})?", float),
    (r"[-+]?\.(inf|Inf|INF)", lambda text: -math.inf if text[0] == "-" else math.inf),
    (r"\.(nan|NaN|NAN)", lambda text: math.nan),
)

COMMA_NUMBER = re.compile(r"(?<![0-9.])[-+]?[0-9]+,[0-9]+([eE][-+]?[0-9]+)?", re.ASCII)
"""``1,5``: a decimal number in many countries, and two numbers of a list."""
DECIMAL_POINT = "decimals take a point, as 1.5"

# Strings of this form need no quotes, unless YAML reads them as something else.
PLAIN_WORD = re.compile(r"[A-Za-z0-9_./~][A-Za-z0-9_./+-]*", re.ASCII)
YAML_1_1_WORDS = {"y", "n", "yes", "no", "on", "off"}


def resolve_scalar(text: str) -> Scalar:
    """Give an unquoted YAML scalar its meaning; what matches no rule is a string."""
    for pattern, read in CORE_SCHEMA:
        if re.fullmatch(pattern, text, re.ASCII):
            return read(text)
    return text


def split_numbers(option: str, text: str) -> list[str]:
    """Split an option's list of numbers, ``1,2``, ``1, 2`` or ``1 2``, at its commas and spaces.

    Raises UsageError for ``1,5 2,5``, which may be four numbers or two.
    """
    number = COMMA_NUMBER.search(text)
    if number and re.search(r"[\s;]", text.strip()):
        reason = f"{number[0]} may be one number or two; {DECIMAL_POINT}"
        raise UsageError(f"{option} {text!r}: {reason}")
    return [part for part in re.split(r"[,\s]+", text) if part]


def read_number(option: str, text: str, word: str) -> float:
    """Read one number of an option's ``text``; raises UsageError where it is none, or not finite.

    A minus may be written as on a slide.
    """
    try:
        number = float(word.replace("−", "-"))
    except ValueError:
        raise UsageError(f"{option} {text!r}: {word!r} is not a number") from None
    if not math.isfinite(number):
        raise UsageError(f"{option} {text!r}: {word!r} is not finite")
    return number


def render_value(value: Any) -> str:
    """Write a value as one line of YAML that reads back as an equal value, paths as strings."""
    if isinstance(value, Mapping):
        entries = (f"{render_value(key)}: {render_value(item)}" for key, item in value.items())
        return "{" + ", ".join(entries) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(render_value, value)) + "]"
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, float):
        return _render_float(value)
    if isinstance(value, str | PurePath):
        return _render_text(str(value))
    raise TypeError(f"no YAML for {type(value).__name__}")


def _render_float(number: float) -> str:
    if math.isnan(number):
        return ".nan"
    if math.isinf(number):
        return ".inf" if number > 0 else "-.inf"
    mantissa, e, exponent = repr(number).partition("e")
    if "." not in mantissa:  # YAML 1.1 readers, which others may use, take 1e-05 for a string
        mantissa += ".0"
    return mantissa + e + exponent


def _render_text(text: str) -> str:
    plain = PLAIN_WORD.fullmatch(text) and isinstance(resolve_scalar(text), str)
    if plain and text.lower() not in YAML_1_1_WORDS:
        return text
    return '"' + "".join(map(_escape, text)) + '"'


def _escape(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return character if character.isprintable() else f"\\U{ord(character):08x}"
