"""Symbolic differentiation: turn a formula into the formula of its slope, by rewriting alone.

SymPy knows rules such as d(uv) = u dv + v du, and applies them to the formula instead
of to numbers. The result is exact and can be read; but the formula of a slope grows much faster
than the formula itself (a product of n factors has a gradient of n · (n − 1) factors), and a
program with loops has no formula. Here its value with 40 digits is the reference for all errors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import sympy

from .graph import Graph

DIGITS = 40
MOST_DIGITS = 1000
"""Used where nearly equal numbers are subtracted; what is smaller is 0 in a float anyway."""

LARGEST_EXACT_NUMBER, SMALLEST_EXACT_NUMBER = 1000, 1e-6
"""Other constants become floats of 40 digits: exact powers of larger ones could fill the memory,
and smaller ones would be fractions of hundreds of digits."""


class Relu(sympy.Function):  # type: ignore[misc]
    """max(0, z) with the slope 0 at its kink, as in torch."""

    @classmethod
    def eval(cls, z: Any) -> Any:
        """Compute where ``z`` is a number."""
        return sympy.Max(z, 0) if z.is_number else None

    def fdiff(self, argindex: int = 1) -> Any:
        """Return the step function."""
        return sympy.Heaviside(self.args[0], 0)


class Larger(sympy.Function):  # type: ignore[misc]
    """max(a, b) with the slope ½ by each where they are equal, as in torch."""

    @classmethod
    def eval(cls, a: Any, b: Any) -> Any:
        """Compute where both are numbers."""
        return sympy.Max(a, b) if a.is_number and b.is_number else None

    def fdiff(self, argindex: int = 1) -> Any:
        """Return the step function of how far this operand exceeds the other."""
        lead = self.args[0] - self.args[1]
        return sympy.Heaviside(lead if argindex == 1 else -lead, sympy.Rational(1, 2))


TO_SYMPY: dict[str, Any] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b,
    "/": lambda a, b: a / b, "**": lambda a, b: a**b, "neg": lambda a: -a,
    "sin": sympy.sin, "cos": sympy.cos, "tan": sympy.tan, "exp": sympy.exp, "log": sympy.log,
    "sqrt": sympy.sqrt, "tanh": sympy.tanh, "relu": Relu, "max": Larger,
}  # fmt: skip
FROM_SYMPY = {
    sympy.Add: "+", sympy.Mul: "*", sympy.Pow: "**", sympy.sin: "sin", sympy.cos: "cos",
    sympy.tan: "tan", sympy.exp: "exp", sympy.log: "log", sympy.tanh: "tanh", Relu: "relu",
    Larger: "max", sympy.Heaviside: "step",
}  # fmt: skip
PRINTED = {"Relu(": "relu(", "Larger(": "max("}


@dataclass(frozen=True)
class SymbolicGradient:
    """The derivatives by each input: as SymPy's formulas, as text, and as a graph to compute."""

    formulas: tuple[Any, ...]
    texts: tuple[str, ...]
    graph: Graph

    def exact(self, point: Sequence[float]) -> list[float] | None:
        """Evaluate with 40 digits; None where a formula has no finite real value there."""
        values = {sympy.Symbol(name): sympy.Float(x, DIGITS)
                  for name, x in zip(self.graph.input_names, point, strict=True)}  # fmt: skip
        try:
            numbers = [formula.evalf(DIGITS, subs=values, maxn=MOST_DIGITS)
                       for formula in self.formulas]  # fmt: skip
        except ArithmeticError:  # mpmath divides by zero
            return None
        are_finite = all(number.is_Number and number.is_finite for number in numbers)
        return [float(number) for number in numbers] if are_finite else None


def differentiate(graph: Graph) -> SymbolicGradient:
    """Return the formulas of ∂f/∂(each input) for the graph's first output f."""
    formula = to_formula(graph, graph.outputs[0])
    formulas = tuple(sympy.diff(formula, sympy.Symbol(name)) for name in graph.input_names)
    computed = Graph()
    for name in graph.input_names:
        computed.input(name)
    computed.outputs = [from_formula(part, computed) for part in (formula, *formulas)]
    return SymbolicGradient(formulas, tuple(map(render_formula, formulas)), computed)


def to_formula(graph: Graph, position: int) -> Any:
    """Return a node as SymPy's formula of the inputs."""
    node = graph.nodes[position]
    if node.operation == "input":
        return sympy.Symbol(node.name)
    if node.operation == "constant":
        size = abs(node.constant)
        is_exact = size == 0 or SMALLEST_EXACT_NUMBER <= size <= LARGEST_EXACT_NUMBER
        digits = repr(node.constant)
        return sympy.Rational(digits) if is_exact else sympy.Float(digits, DIGITS)
    operands = [to_formula(graph, operand) for operand in node.operands]
    return TO_SYMPY[node.operation](*operands)


def from_formula(formula: Any, graph: Graph) -> int:
    """Add SymPy's formula to ``graph``, so that it is computed like any other."""
    if formula.is_Symbol:
        return graph.input(formula.name)
    if formula.is_number:
        return graph.constant(float(formula))
    operands = [from_formula(part, graph) for part in formula.args]
    operation = FROM_SYMPY[formula.func]
    if operation in ("+", "*"):  # SymPy adds and multiplies any number of parts
        return reduce(partial(graph.apply, operation), operands)
    return graph.apply(operation, *operands)


def render_formula(formula: Any) -> str:
    """Write a formula on one line, with this lecture's names for relu and max."""
    text = str(sympy.sstr(formula, full_prec=False))
    for theirs, ours in PRINTED.items():
        text = text.replace(theirs, ours)
    return text
