"""Explain PyYAML's syntax errors in plain words, with the place to look at."""

from typing import NamedTuple

import yaml
from yaml.reader import ReaderError


class _Rule(NamedTuple):
    """What to say when PyYAML's message contains ``fragment``.

    at_start: point to the start of the broken part, not to where the parser stopped.
    """

    fragment: str
    advice: str
    at_start: bool = False


# PyYAML's messages are "context: problem"; the first rule whose fragment occurs in it applies.
RULES = (
    _Rule("'\\t'", "a tab cannot indent YAML; use spaces"),
    _Rule("while parsing a flow sequence", "this '[' is not closed; add ']'", at_start=True),
    _Rule("while parsing a flow mapping", "this '{' is not closed; add '}'", at_start=True),
    _Rule("but found '<stream end>'", "the file ends inside a '[' or '{'; close it"),
    _Rule("unknown escape", "this escape is unknown; write the backslash twice: \\\\"),
    _Rule("escape sequence", "this escape is incomplete; write the backslash twice: \\\\"),
    _Rule("while scanning a quoted scalar", "this quote is never closed", at_start=True),
    _Rule(
        "while scanning a double-quoted scalar", "this quoted text cannot be read", at_start=True
    ),
    _Rule(
        "mapping values are not allowed here",
        "a second ':' cannot stand here; check the indentation, or quote a value that holds ': '",
    ),
    _Rule("could not find expected ':'", "expected 'key: value' with a space after the colon"),
    _Rule("expected <block end>", "this does not continue the lines above; check the indentation"),
    _Rule("did not find expected", "this does not continue the lines above; check the indentation"),
    _Rule("cannot start any token", "this character cannot start a value; quote the whole value"),
    _Rule("expected the node content", "a value is missing before this character"),
)


def explain_syntax_error(error: yaml.YAMLError, text: str) -> tuple[int, int, str]:
    """Return line and column, both from 1, and one line that says what is wrong."""
    if isinstance(error, ReaderError):
        before = text[: error.position]
        problem = "an unprintable character; delete it"
        return before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1, problem
    assert isinstance(error, yaml.MarkedYAMLError), "PyYAML raises no other kind"
    message = f"{error.context or ''}: {error.problem or ''}"
    rule = next((rule for rule in RULES if rule.fragment in message), None)
    problem = rule.advice if rule else f"not valid YAML: {' '.join(str(error.problem).split())}"
    start = error.context_mark if rule and rule.at_start else None
    mark = start or error.problem_mark or error.context_mark
    return (mark.line + 1, mark.column + 1, problem) if mark else (1, 1, problem)
