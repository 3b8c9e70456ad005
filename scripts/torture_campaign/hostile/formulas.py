"""Formulas without end: huge powers, towers, long products, functions nested to the caps."""

import random
from collections.abc import Iterator
from string import ascii_letters

from . import Ground, Trial

COMMANDS = ("diff", "forward-mode", "reverse-mode", "graph")
NAMES = [*ascii_letters, *(f"x{k}" for k in range(48))]


def nest(text: str, times: int) -> str:
    """Write a formula into itself: sin(sin(x)) is ``{}`` in ``sin({})``, twice."""
    formula = "x"
    for _ in range(times):
        formula = text.format(formula)
    return formula


NAMED: dict[str, tuple[list[str], str]] = {
    "a fraction of billions of digits": (["x+(1/999)**(9**9)"], "1"),
    "half to a huge power": (["x*0.5**(9**9)"], "1"),
    "a huge negative power": (["x+999**(-9**9)"], "1"),
    "a sum to a huge power": (["(x/999+1/7)**(9**9)"], "1"),
    "a power by its logarithm": (["exp(1000*(1000*(1000*log(3*x))))"], "0.33"),
    "a power as a coefficient": (["(((3*x)**999)**999)**999"], "0.1"),
    "what a float rounds to zero": (["exp(exp(((x+1)-1e30)*1e7))"], "1e30"),
    "a number that a float rounds to zero": (["x+exp(exp(((1e30+1)-1e30)*1e7))"], "1"),
    "exact numbers that cancel": (["x*exp(exp(exp(((1+999**-6)-1)*999**6*3)))"], "1"),
    "a root of less than nothing": (["x*sqrt(-1e-200*1e-200)"], "1"),
    "many huge powers": (["+".join(["x**1e300/3", *(f"x**{k}e300" for k in range(2, 40))])], "0.5"),
    "many powers of 0": (["+".join(f"exp(-{k}e300*x)" for k in range(1, 30))], "1"),
    "a product of 100 variables": (["*".join(NAMES[:100])], ",".join(["1.1"] * 100)),
    "a sum of 100 variables": (["+".join(NAMES[:100])], ",".join(["1.1"] * 100)),
    "eight products": (["*".join(NAMES[k : k + 40]) for k in range(8)], ",".join(["1"] * 47)),
    "a hundred formulas": (["x"] * 100, "1"),
    "nested max": ([nest("max({},y)", 49)], "1,2"),
    "nested max at its kink": ([nest("max({},y)", 49)], "1,1"),
    "nested tanh": ([nest("tanh({})", 49)], "1"),
    "nested sqrt": ([nest("sqrt({})", 49)], "2"),
    "nested numbers": (["x+" + nest("tanh({})", 40).replace("x", "1")], "2"),
    "nested squares": ([nest("({})**2", 49)], "1"),
    "a tower": (["2**2**2**2**x"], "0.1"),
    "a tower of variables": (["x**x**x**x"], "1.1"),
    "a tower to the cap": (["**".join(["x"] * 50)], "1"),
    "deep parentheses": (["(" * 50 + "x" + ")" * 50], "1"),
    "a long sum": (["+".join(["x"] * 250)], "1"),
    "a product with itself": (["*".join(["x"] * 250)], "1"),
    "a huge point": (["x+y"], "1" + "0" * 5000 + ",1"),
    "a point of many numbers": (["x"], ",".join(["1"] * 50_000)),
}  # fmt: skip


def formula(dice: random.Random, room: int, depth: int = 0) -> str:
    """Write a random formula of about ``room`` characters."""
    if room < 6 or depth > 40:
        numbers = ("0", "1", "2", "0.1", "999", "1e-6", "1e300", "1e-320", "9**9", "1/3", "-1")
        return dice.choice(["x", "y", "z", "x", "y", f"({dice.choice(numbers)})"])
    shape = dice.choice(
        ["{}+{}", "{}*{}", "({})-({})", "({})/({})", "({})**({})", "({})**2", "({})**(1/2)",
         "max({},{})", *(f"{name}({{}})" for name in
                         ("sin", "cos", "tan", "exp", "log", "sqrt", "tanh", "relu"))]
    )  # fmt: skip
    parts = shape.count("{}")
    share = dice.uniform(0.1, 0.9) if parts == 2 else 1.0
    rooms = (room * share, room * (1 - share))[:parts]
    return shape.format(*(formula(dice, int(part) - 4, depth + 1) for part in rooms))


def trials(ground: Ground, number: int) -> Iterator[Trial]:
    """Yield every named formula with one or two commands, then random ones at random points."""
    dice = ground.dice
    for name, (texts, at) in NAMED.items():
        for command in ("diff", dice.choice(COMMANDS[1:])):
            yield trial(f"{name}, {command}", command, texts, at)
    for name in ("a sum of 100 variables", "nested max", "eight products", "a long sum"):
        picture = ground.folder / "picture.png"
        yield trial(f"{name}, a picture", "graph", *NAMED[name], "--out", picture)
    for k in range(number - 2 * len(NAMED) - 4):
        text = formula(dice, dice.choice((20, 60, 200, 400)))[:500]
        values = {name: dice.choice((0, 1, 0.5, -2, 3.7, 1e-9, 40)) for name in "xyz"}
        at = ",".join(f"{name}={value}" for name, value in values.items() if name in names_in(text))
        options = ["--json"] * dice.choice((0, 1))
        yield trial(f"random {k}: {text} at {at}", COMMANDS[k % 4], [text], at, *options)


def names_in(text: str) -> set[str]:
    """Return which of x, y and z are variables of a formula."""
    for function in ("exp", "max"):
        text = text.replace(function, "")
    return set(text) & set("xyz")


def trial(name: str, command: str, texts: list[str], at: str, *options: object) -> Trial:
    """Ask ``learn`` for a page on formulas at a point."""
    given = [part for text in texts for part in ("--expr", text)]
    return Trial(name, ["learn", command, *given, f"--at={at}", *options])
