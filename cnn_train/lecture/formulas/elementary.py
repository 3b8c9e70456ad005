"""The elementary functions of which every formula is made, each with its slopes.

With the slopes of +, ×, sin and a dozen others, the chain rule gives the slope of every formula
that is written with them. This table is all the calculus that automatic differentiation needs.

Where a function has a kink, the slope is torch's choice: 0 for relu and abs at 0, ½ each for max of
equals.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...errors import UsageError

ANOTHER_POINT = "; choose another --at"


class DomainError(UsageError):
    """A function has no finite real value, or no finite slope, at this point."""


@dataclass(frozen=True)
class Slope:
    """The slope by one operand, as text and as a function of the operands and the value.

    In ``text`` {a} and {b} stand for the operands and {v} for the value.
    """

    text: str
    of: Callable[..., float]


@dataclass(frozen=True)
class Elementary:
    """One function: how it is written, its value from its operands, a slope per operand."""

    text: str
    value: Callable[..., float]
    slopes: tuple[Slope, ...]

    @property
    def is_infix(self) -> bool:
        """Whether it is written between or before its operands, as + and − are."""
        return "(" not in self.text

    def write(self, operands: Sequence[str]) -> str:
        """Fill in the operands, with parentheses where a sign would follow an operator."""
        if self.is_infix:
            operands = [f"({text})" if text.startswith("-") else text for text in operands]
        return self.text.format(*operands)

    def evaluate(self, operands: tuple[float, ...]) -> float:
        """Return the value; raises DomainError where it is not a finite real number."""
        return self._finite(self.value, operands)

    def slope(self, position: int, operands: tuple[float, ...], value: float) -> float:
        """Return the slope by one operand; raises DomainError where it is not finite."""
        its = " has a value, but its slope"
        return self._finite(self.slopes[position].of, (*operands, value), its)

    def _finite(self, call: Callable[..., float], at: tuple[float, ...], its: str = "") -> float:
        result, problem = math.inf, "is too large for a float"
        try:
            result = call(*at)
        except ZeroDivisionError:
            problem = "divides by zero"
        except ValueError:
            problem = "is not defined"
        except OverflowError:
            pass
        if not math.isfinite(result):
            operands = [f"{operand:.7g}" for operand in at[: len(self.slopes)]]
            raise DomainError(f"{self.write(operands)}{its} {problem}")
        return result


def _step(z: float, at_zero: float = 0.0) -> float:
    """Return 0 below zero and 1 above it."""
    return at_zero if z == 0 else float(z > 0)


def _sign(z: float) -> float:
    return float((z > 0) - (z < 0))


def _sigmoid(z: float) -> float:
    """Return 1 / (1 + e⁻ᶻ), by a power that is never too large."""
    power = math.exp(-abs(z))
    return (1.0 if z >= 0 else power) / (1 + power)


UP, DOWN = Slope("1", lambda *_: 1.0), Slope("-1", lambda *_: -1.0)
FLAT = Slope("0", lambda *_: 0.0)

ELEMENTARY: dict[str, Elementary] = {
    "+": Elementary("{0} + {1}", lambda a, b: a + b, (UP, UP)),
    "-": Elementary("{0} - {1}", lambda a, b: a - b, (UP, DOWN)),
    "*": Elementary(
        "{0} × {1}",
        lambda a, b: a * b,
        (Slope("{b}", lambda a, b, v: b), Slope("{a}", lambda a, b, v: a)),
    ),
    "/": Elementary(
        "{0} / {1}",
        lambda a, b: a / b,
        (Slope("1/{b}", lambda a, b, v: 1 / b), Slope("-{v}/{b}", lambda a, b, v: -v / b)),
    ),
    "**": Elementary(
        "{0} ** {1}",
        math.pow,
        (
            Slope("{b}·{a}**({b}-1)", lambda a, b, v: b * math.pow(a, b - 1) if b else 0.0),
            Slope("{v}·log({a})", lambda a, b, v: v * math.log(a)),
        ),
    ),
    "neg": Elementary("-{0}", lambda a: -a, (DOWN,)),
    "sin": Elementary("sin({0})", math.sin, (Slope("cos({a})", lambda a, v: math.cos(a)),)),
    "cos": Elementary("cos({0})", math.cos, (Slope("-sin({a})", lambda a, v: -math.sin(a)),)),
    "tan": Elementary("tan({0})", math.tan, (Slope("(1+{v}²)", lambda a, v: 1 + v * v),)),
    "exp": Elementary("exp({0})", math.exp, (Slope("{v}", lambda a, v: v),)),
    "log": Elementary("log({0})", math.log, (Slope("1/{a}", lambda a, v: 1 / a),)),
    "sqrt": Elementary("sqrt({0})", math.sqrt, (Slope("1/(2·{v})", lambda a, v: 0.5 / v),)),
    "tanh": Elementary("tanh({0})", math.tanh, (Slope("(1-{v}²)", lambda a, v: 1 - v * v),)),
    "sigmoid": Elementary(
        "sigmoid({0})", _sigmoid, (Slope("{v}·(1-{v})", lambda a, v: v * (1 - v)),)
    ),
    "abs": Elementary("abs({0})", abs, (Slope("sign({a})", lambda a, v: _sign(a)),)),
    "relu": Elementary(
        "relu({0})", lambda a: max(a, 0.0), (Slope("step({a})", lambda a, v: _step(a, 0.0)),)
    ),
    "max": Elementary(
        "max({0}, {1})",
        max,
        (
            Slope("step({a}-{b})", lambda a, b, v: _step(a - b, 0.5)),
            Slope("step({b}-{a})", lambda a, b, v: _step(b - a, 0.5)),
        ),
    ),
    # The slopes of relu, max and abs: they appear in derivatives, never in a function of a user's.
    "step": Elementary("step({0})", _step, (FLAT, FLAT)),
    "sign": Elementary("sign({0})", _sign, (FLAT,)),
}

FUNCTIONS = {"sin": 1, "cos": 1, "tan": 1, "exp": 1, "log": 1, "sqrt": 1, "tanh": 1, "sigmoid": 1,
             "abs": 1, "relu": 1, "max": 2}  # fmt: skip
"""The functions that an expression may call, and how many operands each has."""

SLOPE_FUNCTIONS = {"step": 1, "sign": 1}
"""What a derivative may call besides."""

SYNONYMS = {"ln": "log"}
CONSTANTS = {"pi": math.pi, "π": math.pi, "e": math.e}
