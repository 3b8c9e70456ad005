"""Symbolic differentiation: turn a formula into the formula of its slope, by rewriting alone.

SymPy knows rules such as d(uv) = u dv + v du, and applies them to the formula instead
of to numbers. The result is exact and can be read; but the formula of a slope grows much faster
than the formula itself (a product of n factors has a gradient of n · (n − 1) factors), and a
program with loops has no formula. Here its value with 40 digits is the reference for all errors.
"""

import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from inspect import CO_GENERATOR
from typing import Any

import sympy

from .elementary import DomainError
from .graph import Graph

DIGITS = 40
MOST_DIGITS = 1000
"""Used where nearly equal numbers are subtracted; what is smaller is 0 in a float anyway."""

LARGEST_EXACT_NUMBER, SMALLEST_EXACT_NUMBER = 1000, 1e-6
"""Other numbers become floats of 40 digits: exact powers of larger ones could fill the memory,
and smaller ones would be fractions of hundreds of digits."""

MOST_CALLS = 300_000
"""A second of SymPy's work, counted: a busy machine gives no other answer. A tanh in a tanh
doubles it."""


def _own(name: str, value: Callable[[Any], Any], slope: Callable[[Any], Any]) -> Any:
    """Make a function of SymPy that computes where it gets a number, with the slope given.

    ``slope``: from the function applied to its operand; at a kink it is torch's choice.
    """
    apply = classmethod(lambda cls, z: value(z) if z.is_number else None)
    return type(name, (sympy.Function,), {"eval": apply, "fdiff": lambda self, _=1: slope(self)})


Relu = _own("relu", lambda z: sympy.Max(z, 0), lambda v: sympy.Heaviside(v.args[0], 0))
Sign = _own("sign", sympy.sign, lambda v: sympy.Integer(0))
Magnitude = _own("abs", sympy.Abs, lambda v: Sign(v.args[0]))
Sigmoid = _own("sigmoid", lambda z: (1 + sympy.tanh(z / 2)) / 2, lambda v: v * (1 - v))


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


Larger.__name__ = "max"  # as it is written

TO_SYMPY: dict[str, Any] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b,
    "/": lambda a, b: a / b, "**": lambda a, b: a**b, "neg": lambda a: -a,
    "sin": sympy.sin, "cos": sympy.cos, "tan": sympy.tan, "exp": sympy.exp, "log": sympy.log,
    "sqrt": sympy.sqrt, "tanh": sympy.tanh, "relu": Relu, "max": Larger, "sigmoid": Sigmoid,
    "abs": Magnitude,
}  # fmt: skip
NAMED = {"pi": sympy.pi, "e": sympy.E}
FROM_SYMPY = {
    sympy.Add: "+", sympy.Mul: "*", sympy.Pow: "**", sympy.sin: "sin", sympy.cos: "cos",
    sympy.tan: "tan", sympy.exp: "exp", sympy.log: "log", sympy.tanh: "tanh", Relu: "relu",
    Larger: "max", sympy.Heaviside: "step", Sigmoid: "sigmoid", Magnitude: "abs", Sign: "sign",
}  # fmt: skip


@dataclass(frozen=True)
class SymbolicGradient:
    """The derivatives by each input as SymPy's formulas, as text, and as a graph; or a problem."""

    formulas: tuple[Any, ...]
    texts: tuple[str, ...]
    graph: Graph
    problem: str | None = None

    def exact(self, point: Sequence[float]) -> list[float] | None:
        """Evaluate with 40 digits; None where a formula has no finite real value there."""
        known = {sympy.Symbol(name): sympy.Float(x, MOST_DIGITS)
                 for name, x in zip(self.graph.input_names, point, strict=False)}  # fmt: skip
        known |= {sympy.pi: sympy.Float(math.pi, DIGITS), sympy.E: sympy.Float(math.e, DIGITS)}
        try:
            return [float(_value(formula, known)) for formula in self.formulas] or None
        except (DomainError, ArithmeticError, ValueError, TypeError):  # 1/0, or complex numbers
            return None


def differentiate(graph: Graph) -> SymbolicGradient:
    """Return the formulas of ∂f/∂(each input) for the graph's first output f, or the problem."""
    calls = iter(range(MOST_CALLS))

    def bound(frame: Any, event: str, _: object) -> None:
        is_last = event == "call" and next(calls, None) is None
        if is_last and not frame.f_code.co_flags & CO_GENERATOR:  # its end would swallow the error
            raise DomainError(f"its formulas take SymPy more than {MOST_CALLS:,} steps")

    before = sys.getprofile()
    sys.setprofile(bound)
    try:
        return _derive(graph)
    except (DomainError, RecursionError, ValueError, TypeError) as problem:
        sympy.core.cache.clear_cache()  # of what was only begun
        return SymbolicGradient((), (), Graph(), str(problem))
    finally:
        sys.setprofile(before)


def _derive(graph: Graph) -> SymbolicGradient:
    formula = to_formula(graph, graph.outputs[0])
    inputs = map(sympy.Symbol, graph.input_names)
    formulas = tuple(_bounded(sympy.diff(formula, name)) for name in inputs)
    computed = Graph()
    for name in graph.input_names:
        computed.input(name)
    computed.outputs = [from_formula(part, computed) for part in (formula, *formulas)]
    return SymbolicGradient(formulas, tuple(map(render_formula, formulas)), computed)


def time_derivation(graph: Graph) -> float:
    """Return the seconds that SymPy takes where nothing counts its steps; they must be few."""
    sympy.core.cache.clear_cache()
    started = time.perf_counter()
    _derive(graph)
    return time.perf_counter() - started


def to_formula(graph: Graph, position: int) -> Any:
    """Return a node as SymPy's formula of the inputs."""
    node = graph.nodes[position]
    if node.operation == "input":
        return sympy.Symbol(node.name)
    if node.operation == "constant" and node.name:
        return NAMED[node.name]
    if node.operation == "constant":
        return _bounded(sympy.Rational(repr(node.constant)))
    operands = [_bounded(to_formula(graph, operand)) for operand in node.operands]
    return TO_SYMPY[node.operation](*operands)


def slope_formula(graph: Graph, position: int, number: int) -> Any:
    """Return the slope of a node by its operand number ``number`` as SymPy's formula."""
    node = graph.nodes[position]
    symbols = [sympy.Dummy() for _ in node.operands]
    slope = sympy.diff(TO_SYMPY[node.operation](*symbols), symbols[number])
    operands = [to_formula(graph, operand) for operand in node.operands]
    return slope.subs(dict(zip(symbols, operands, strict=True)))


def _bounded(formula: Any) -> Any:
    """Round a formula's large and fine numbers; raises DomainError where they are no floats."""
    formula = formula.xreplace({
        number: sympy.Float(number, DIGITS) for number in formula.atoms(sympy.Rational)
        if number and not (SMALLEST_EXACT_NUMBER <= abs(number) <= LARGEST_EXACT_NUMBER
                           and number.q <= 10**DIGITS)
    })  # fmt: skip
    if any(sum(number._mpf_[2:]) > sys.float_info.max_exp for number in formula.atoms(sympy.Float)):
        raise DomainError("its formulas hold numbers that are too large for a float")
    return formula


def _value(formula: Any, known: dict[Any, Any]) -> Any:
    """Compute a formula's parts one after the other, each once; ``known`` holds the inputs."""
    if formula not in known:
        parts = [_value(part, known) for part in formula.args]
        number = formula.func(*parts) if parts else formula
        known[formula] = _bounded(number if number.is_Rational else number.evalf(MOST_DIGITS))
        if not known[formula].is_finite:
            raise DomainError("its formulas hold numbers that are not finite")
    return known[formula]


def from_formula(formula: Any, graph: Graph) -> int:
    """Add SymPy's formula to ``graph``, so that it is computed like any other."""
    if formula.is_Symbol:
        return graph.input(formula.name)
    if formula.is_number:
        return graph.constant(float(_value(formula, {})))
    operands = [from_formula(part, graph) for part in formula.args]
    operation = FROM_SYMPY[formula.func]
    if operation in ("+", "*"):  # SymPy adds and multiplies any number of parts
        return reduce(partial(graph.apply, operation), operands)
    return graph.apply(operation, *operands)


def render_formula(formula: Any) -> str:
    """Write a formula on one line."""
    return str(sympy.sstr(formula.xreplace({sympy.E: sympy.Symbol("e")}), full_prec=False))
