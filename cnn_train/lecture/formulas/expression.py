"""From the text of a formula to its computational graph, without running any of the text.

    sum     = product (("+" | "-") product)*
    product = signed (("*" | "/") signed)*
    signed  = ("-" | "+") signed | power
    power   = atom ("**" signed)?            so that -x**2 = -(x**2) and 2**3**2 = 2**(3**2)
    atom    = number | name | function "(" sum ("," sum)* ")" | "(" sum ")"

One method per line of this grammar: each reads its part of the text and returns the node that
computes it. × · ÷ − may be written as on a slide. Lengths and depths are capped.
"""

import math
import re
from collections.abc import Sequence
from typing import NoReturn

from ...errors import UsageError
from .elementary import FUNCTIONS
from .graph import Graph

MOST_CHARACTERS = 500
DEEPEST = 50

SLIDE_SIGNS = str.maketrans("×·÷−", "**/-")
TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[^\W\d]\w*)"
    r"|(?P<sign>\*\*|[-+*/(),]))"
)


def parse_expressions(texts: Sequence[str]) -> Graph:
    """Return one graph whose outputs are the expressions, inputs in the natural order of names.

    Raises UsageError with the column of what cannot be read.
    """
    graph = Graph()
    parsers = [Parser(text, graph) for text in texts]
    for name in sorted({name for one in parsers for name in one.variables()}, key=natural_order):
        graph.input(name)
    graph.outputs = [one.parse() for one in parsers]
    if not graph.input_names:
        raise UsageError(f"--expr: there is no variable in {texts[0].strip()!r}; write e.g. x1*x2")
    return graph


def natural_order(name: str) -> list[tuple[str, int]]:
    """Order x2 before x10."""
    return [(word, int(digits or 0)) for word, digits in re.findall(r"(\D+)(\d*)", name)]


def parse_point(text: str, names: Sequence[str]) -> list[float]:
    """Read ``2,3`` (in the inputs' order) or ``x1=2,x2=3``.

    Raises UsageError unless every input gets exactly one finite number.
    """
    entries = [entry for entry in re.split(r"[,\s]+", text.strip()) if entry]
    wanted = ", ".join(names)
    if len(entries) != len(names):
        given = f"{len(entries)} number{'s' * (len(entries) != 1)}"
        inputs = f"{len(names)} input{'s' * (len(names) != 1)}"
        raise UsageError(f"--at {text!r}: {given} for {inputs} ({wanted})")
    pairs = [entry.split("=", 1) if "=" in entry else [name, entry]
             for name, entry in zip(names, entries, strict=True)]  # fmt: skip
    point = {name: _read_number(digits, text) for name, digits in pairs}
    if set(point) != set(names):
        raise UsageError(f"--at {text!r}: give each of {wanted} one number")
    return [point[name] for name in names]


def _read_number(digits: str, text: str) -> float:
    try:
        number = float(digits.translate(SLIDE_SIGNS))
    except ValueError:
        raise UsageError(f"--at {text!r}: {digits!r} is not a number") from None
    if not math.isfinite(number):
        raise UsageError(f"--at {text!r}: {digits!r} is not finite")
    return number


class Parser:
    """Reads one expression from left to right."""

    def __init__(self, text: str, graph: Graph) -> None:
        self.text = text.translate(SLIDE_SIGNS)
        self.graph = graph
        self.depth = 0
        self.next = 0
        if len(text) > MOST_CHARACTERS:
            raise UsageError(
                f"--expr: {len(text)} characters are too many; at most {MOST_CHARACTERS}"
            )
        self.tokens = self._split()

    def _split(self) -> list[tuple[str, str, int]]:
        """Return (kind, word, where it starts) for every word, and the end."""
        tokens, position = [], 0
        end = len(self.text.rstrip())
        while position < end:
            found = TOKEN.match(self.text, position)
            if found is None:
                self._refuse_character(position)
            kind = str(found.lastgroup)
            word = found.group(kind)
            if kind == "name" and not word.isidentifier():
                self._fail(f"{word!r} is no name; a power is written **", found.start(kind))
            tokens.append((kind, word, found.start(kind)))
            position = found.end()
        return [*tokens, ("end", "", end)]

    def _refuse_character(self, position: int) -> NoReturn:
        position += len(self.text[position:]) - len(self.text[position:].lstrip())
        character = self.text[position]
        advice = "; a power is written **" if character == "^" else ""
        self._fail(f"{character!r} has no meaning here{advice}", position)

    def _fail(self, problem: str, position: int) -> NoReturn:
        """Raise UsageError with a caret before the place, in one line."""
        begin, end = max(position - 30, 0), position + 30
        before = ("…" if begin else "") + self.text[begin:position].lstrip()
        after = self.text[position:end] + ("…" if end < len(self.text) else "")
        raise UsageError(f"--expr, column {position + 1}: {problem}: {before}^{after}".rstrip())

    def variables(self) -> set[str]:
        """Return every name that is not called as a function."""
        following = [*(word for _, word, _ in self.tokens[1:]), ""]
        words = zip(self.tokens, following, strict=True)
        return {word for (kind, word, _), after in words if kind == "name" and after != "("}

    def parse(self) -> int:
        """Read the whole text; return the position of its value."""
        value = self.sum()
        kind, word, position = self.tokens[self.next]
        if kind in ("number", "name") or word == "(":
            self._fail("an operator is missing; a product is written *", position)
        if kind != "end":
            self._fail(f"unexpected {word!r}", position)
        return value

    def accept(self, *signs: str) -> str:
        """Step over the next word if it is one of ``signs``; return it, or nothing."""
        word = self.tokens[self.next][1]
        if word not in signs:
            return ""
        self.next += 1
        return word

    def sum(self) -> int:
        """Read terms that are added or subtracted."""
        value = self.product()
        while sign := self.accept("+", "-"):
            value = self.graph.apply(sign, value, self.product())
        return value

    def product(self) -> int:
        """Read factors and divisors."""
        value = self.signed()
        while sign := self.accept("*", "/"):
            value = self.graph.apply(sign, value, self.signed())
        return value

    def signed(self) -> int:
        """Read a power with any number of signs before it."""
        self.depth += 1
        if self.depth > DEEPEST:
            self._fail(f"nested more than {DEEPEST} deep", self.tokens[self.next][2])
        sign = self.accept("-", "+")
        value = self.signed() if sign else self.power()
        self.depth -= 1
        return self._negative(value) if sign == "-" else value

    def _negative(self, value: int) -> int:
        node = self.graph.nodes[value]
        if node.operation == "constant":
            return self.graph.constant(-node.constant)
        return self.graph.apply("neg", value)

    def power(self) -> int:
        """Read an atom and its exponent, if it has one."""
        base = self.atom()
        return self.graph.apply("**", base, self.signed()) if self.accept("**") else base

    def atom(self) -> int:
        """Read a number, a variable, a call or something in parentheses."""
        kind, word, position = self.tokens[self.next]
        self.next += 1
        if kind == "number":
            if not math.isfinite(float(word)):
                self._fail(f"{word} is too large for a float", position)
            return self.graph.constant(float(word))
        if kind == "name":
            return self.call(word, position)
        if word != "(":
            self._fail("a number, a variable or a function is missing", position)
        return self.close(self.sum(), position)

    def close(self, value: int, opened: int) -> int:
        """Read the parenthesis that belongs to the one at ``opened``."""
        kind, word, position = self.tokens[self.next]
        if kind == "end":
            self._fail("this parenthesis is never closed", opened)
        if word != ")":
            advice = "an operator or ')' is missing"
            self._fail(advice if kind in ("number", "name") else f"unexpected {word!r}", position)
        self.next += 1
        return value

    def call(self, name: str, position: int) -> int:
        """Read a function's operands, or take the name as a variable's."""
        opened = self.tokens[self.next][2]
        if not self.accept("("):
            if name in FUNCTIONS:
                self._fail(f"{name} is a function; write {name}(…)", position)
            return self.graph.input(name)
        if name not in FUNCTIONS:
            self._fail(f"there is no function {name!r}, only {', '.join(FUNCTIONS)}", position)
        operands = [self.sum()]
        while self.accept(","):
            operands.append(self.sum())
        self.close(operands[0], opened)
        if len(operands) != FUNCTIONS[name]:
            wanted = f"{FUNCTIONS[name]} operand{'s' * (FUNCTIONS[name] > 1)}"
            self._fail(f"{name} takes {wanted}, not {len(operands)}", position)
        return self.graph.apply(name, *operands)
