"""From the text of a formula to its computational graph, without running any of the text.

The grammar is Python's, and so is its parser, which gives -x**2 = -(x**2) and 2**3**2 = 2**(3**2).
But Python's grammar holds much more than formulas. So the text is checked word by word first, and
the parser sees only its shape, where every number is 1, 10, 100, … and every name v, vv, vvv, …:

    max(x1, 2.5) - θ        the text
    vvv(vv, 100) - v        its shape, with every word where it was

So a variable may have any name, also one that means something in Python, but for e and pi, which
are numbers. × · ÷ − may be written as on a slide. Lengths and depths are capped.
"""

import ast
import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NoReturn

from ...config.scalars import COMMA_NUMBER, DECIMAL_POINT, read_number, split_numbers
from ...config.spelling import nearest
from ...errors import UsageError
from .elementary import CONSTANTS, FUNCTIONS, SLOPE_FUNCTIONS, SYNONYMS
from .graph import Graph

MOST_CHARACTERS, MOST_WORK = 500, 10_000
DEEPEST = 50

SLIDE_SIGNS = str.maketrans("×·÷−", "**/-")
WORDS = re.compile(r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>\w+)|[^-+*/(), ]")
OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}

MISSING = {
    "an operator is missing before it; a product is written with *, as 2*x": re.compile(
        r"[01v)] *(?=1)|[01)] *(?=[v(])|v +(?=v)"
    ),
    "a number, a variable or a function is missing": re.compile(
        r"(?:^|[-+/(,]|\*\*?+) *(?=[*/),]|$)"  # ?+: ** is never read as * and *
    ),
}
"""Parts that a shape may lack; each pattern ends where the part is missing."""


def parse_expressions(texts: Sequence[str], mine: Sequence[str] = ()) -> Graph:
    """Return one graph whose outputs are the expressions, inputs in the natural order of names.

    The order is the same in every process, and whatever the texts' own order. ``mine``: further
    outputs, derivatives that were given as --mine, which may call step and sign.

    Raises UsageError with the column of what cannot be read.
    """
    if (length := sum(map(len, (*texts, *mine)))) > MOST_CHARACTERS:
        raise UsageError(f"--expr: {length} characters are too many; at most {MOST_CHARACTERS}")
    graph = Graph()
    formulas = [_Formula(text) for text in texts]
    formulas += [_Formula(text, "--mine", FUNCTIONS | SLOPE_FUNCTIONS) for text in mine]
    names = {name for formula in formulas for name in formula.variables()}
    for name in sorted(names, key=natural_order):
        graph.input(name)
    graph.outputs = [formula.add_to(graph, formula.tree) for formula in formulas]
    if not graph.input_names:
        raise UsageError(f"--expr: there is no variable in {texts[0].strip()!r}; write e.g. x1*x2")
    if math.prod(sizes := (len(formulas), len(names), graph.num_operations)) > MOST_WORK:
        work = "{} outputs × {} inputs × {} operations".format(*sizes)
        raise UsageError(f"--expr: {work} are too many; at most {MOST_WORK:,} in all")
    return graph


def natural_order(name: str) -> tuple[list[tuple[str, int]], str]:
    """Order w before w0, and x2 before x10; only a name itself has an equal place."""
    words = [(word, int(digits or 0)) for word, digits in re.findall(r"(\D+)(\d*)", name)]
    return words, name


def parse_point(text: str, names: Sequence[str]) -> list[float]:
    """Read ``2,3`` (in the inputs' order) or ``x1=2,x2=3``; after a name, all have names.

    Raises UsageError unless every input gets exactly one finite number.
    """
    entries = split_numbers("--at", text)
    wanted = ", ".join(names)
    for name in (entry.partition("=")[0] for entry in entries if "=" in entry):
        if name in CONSTANTS:
            raise UsageError(f"--at {text!r}: {name} is a number; give the input another name")
    if len(entries) != len(names):
        given = f"{len(entries)} number{'s' * (len(entries) != 1)}"
        inputs = f"{len(names)} input{'s' * (len(names) != 1)}"
        advice = (
            f"; {DECIMAL_POINT}" if len(entries) > len(names) and COMMA_NUMBER.search(text) else ""
        )
        raise UsageError(f"--at {text!r}: {given} for {inputs} ({wanted}){advice}")
    for entry, following in pairwise(entries):
        if "=" in entry and "=" not in following:
            raise UsageError(f"--at {text!r}: {following} has no name; {DECIMAL_POINT}")
    pairs = [entry.split("=", 1) if "=" in entry else [name, entry]
             for name, entry in zip(names, entries, strict=True)]  # fmt: skip
    point = {name: read_number("--at", text, digits) for name, digits in pairs}
    if set(point) != set(names):
        raise UsageError(f"--at {text!r}: give each of {wanted} one number")
    return [point[name] for name in names]


class _Formula:
    """One expression: its text, and the tree that Python's parser makes of its shape."""

    def __init__(
        self, text: str, option: str = "--expr", functions: Mapping[str, int] = FUNCTIONS
    ) -> None:
        self.option, self.functions = option, functions
        self.text = re.sub(r"\s", " ", text.translate(SLIDE_SIGNS)).rstrip()
        shape = WORDS.sub(self._hide, self.text)
        for problem, pattern in MISSING.items():
            if place := pattern.search(shape):
                self._refuse(problem, place.end())
        self._check_parentheses(shape)
        # On a line of its own within parentheses, the shape may begin with spaces.
        self.tree = ast.parse(f"(\n{shape}\n)", mode="eval").body

    def _hide(self, word: re.Match[str]) -> str:
        """Return the word's place holder in the shape; refuse what a formula cannot contain."""
        text = word.group()
        if word["number"]:
            return "1" + "0" * (len(text) - 1)
        if not text.isidentifier():
            is_power = text == "^" or word["name"]
            problem = "a power is written with **, as x**2" if is_power else "has no meaning here"
            self._refuse(problem, word.start())
        return "v" * len(text)

    def _check_parentheses(self, shape: str) -> None:
        opened: list[int] = []
        for position, sign in enumerate(shape):
            if sign == "(":
                opened.append(position)
            elif sign == ")":
                if not opened:
                    self._refuse("no parenthesis is open here", position)
                opened.pop()
            if len(opened) > DEEPEST:
                self._refuse(f"nested more than {DEEPEST} deep", position)
        if opened:
            self._refuse("this parenthesis is never closed", opened[-1])

    def _refuse(self, problem: str, position: int) -> NoReturn:
        """Raise UsageError that quotes the formula, or what is around the place, and the place."""
        begin, end = max(position - 30, 0), position + 30
        around = "…" * (begin > 0) + self.text[begin:end] + "…" * (end < len(self.text))
        word = WORDS.match(self.text, position)
        piece = word.group() if word else self.text[position : position + 1]
        place = f"column {position + 1}, {piece!r}" if piece.strip() else "at the end"
        raise UsageError(f"{self.option} {around.strip()!r}, {place}: {problem}")

    def variables(self) -> set[str]:
        """Return every name but those of functions and numbers."""
        words = {self._word(node) for node in ast.walk(self.tree) if isinstance(node, ast.Name)}
        return words - self.functions.keys() - SYNONYMS.keys() - CONSTANTS.keys()

    def _word(self, node: ast.expr) -> str:
        return self.text[node.col_offset : node.end_col_offset]

    def add_to(self, graph: Graph, node: ast.expr, depth: int = 1) -> int:
        """Add the operands of ``node`` and then itself; return its position in the graph."""
        word, place = self._word(node), node.col_offset
        if depth > DEEPEST:
            self._refuse(f"nested more than {DEEPEST} deep", place)
        match node:
            case ast.BinOp(left=left, op=operator, right=right):
                first = self.add_to(graph, left, depth)
                second = self.add_to(graph, right, depth + isinstance(operator, ast.Pow))
                return graph.apply(OPERATORS[type(operator)], first, second)
            case ast.UnaryOp(op=sign, operand=operand):
                value = self.add_to(graph, operand, depth + 1)
                return _negative(graph, value) if isinstance(sign, ast.USub) else value
            case ast.Call(func=function, args=operands):
                name = SYNONYMS.get(self._word(function), self._word(function))
                self._check_call(name, len(operands), place)
                return graph.apply(name, *(self.add_to(graph, x, depth + 1) for x in operands))
            case ast.Name():
                if word in self.functions or word in SYNONYMS:
                    self._refuse(f"is a function; write {word}(…)", place)
                if word in CONSTANTS:
                    return graph.constant(CONSTANTS[word], "e" if word == "e" else "pi")
                return graph.input(word)
            case ast.Constant():
                if math.isinf(float(word)):
                    self._refuse("is too large for a float", place)
                return graph.constant(float(word))
            case ast.Tuple(elts=[first_part, *_]):
                place = self.text.index(",", first_part.end_col_offset)
                advice = f"; {DECIMAL_POINT}" if isinstance(first_part, ast.Constant) else ""
                self._refuse(f"is unexpected here{advice}", place)
        raise AssertionError(f"no shape has a {type(node).__name__}")

    def _check_call(self, name: str, num_operands: int, place: int) -> None:
        if name not in self.functions:
            known = ", ".join(self.functions)
            guess = nearest(name, self.functions)
            hint = f"; did you mean {guess}?" if guess else f", only {known}"
            self._refuse(f"there is no such function{hint}", place)
        wanted = self.functions[name]
        if num_operands != wanted:
            operands = f"{wanted} operand{'s' * (wanted > 1)}"
            self._refuse(f"takes {operands}, not {num_operands}", place)


def _negative(graph: Graph, value: int) -> int:
    node = graph.nodes[value]
    if node.operation == "constant" and not node.name:
        return graph.constant(-node.constant)
    return graph.apply("neg", value)
