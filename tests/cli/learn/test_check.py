"""``learn check``: what it prints, its document, and how it ends."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
EXAMPLES = Path(__file__).parents[3] / "docs" / "examples" / "my_layers.py"
SLIDE = ("--expr", "x1*x2+sin(x1)", "--at", "2,3")


def test_a_right_derivative_ends_with_0_and_a_wrong_one_with_1(cnn_train: Run) -> None:
    right = cnn_train("learn", "check", "--mine", "x2+cos(x1), x1", *SLIDE)
    assert right.exit_code == 0 and right.stdout.count("right\n") == 2
    wrong = cnn_train("learn", "check", "--mine", "x2", "--mine", "x1", *SLIDE)
    assert wrong.exit_code == 1 and "error: 1 of 2 wrong: ∂f/∂x1" in wrong.stderr
    assert "∂f/∂x1: the path x1 → sin(x1) is missing: yours lacks cos(x1)." in wrong.stdout


def test_the_document_holds_every_grade_also_when_one_is_wrong(cnn_train: Run) -> None:
    ended = cnn_train("learn", "check", "--mine", "-x2-cos(x1), x1", *SLIDE, "--json")
    assert ended.exit_code == 1 and ended.document["passed"] is False
    first, second = ended.document["inputs"]
    assert (first["problem"], second["problem"]) == ("only the sign is wrong", "")
    assert (second["name"], second["mine"], second["value"], second["right"]) == ("x2", "x1", 2, 2)


def test_commas_within_parentheses_part_nothing(cnn_train: Run) -> None:
    options = ("--mine", "max(y,x)+x*step(x-y), step(y-x)*x", "--expr", "x*max(x,y)", "--at", "1,2")
    assert cnn_train("learn", "check", *options).exit_code == 0


@pytest.mark.parametrize(("name", "code"), [("MyReLU", 0), ("MyScale", 0), ("WrongReLU", 1)])
def test_a_layer_is_checked_for_several_shapes(cnn_train: Run, name: str, code: int) -> None:
    ended = cnn_train("learn", "check", "--module", f"{EXAMPLES}:{name}", "--json")
    assert ended.exit_code == code
    assert ended.document["passed"] == (not code) == (ended.document["problems"] == [])
    assert [len(one["shape"]) for one in ended.document["shapes"]] == [1, 2, 2, 4]
    text = cnn_train("learn", "check", "--module", f"{EXAMPLES}:{name}", "--shape", "2x3").stdout
    assert "2×3" in text and ("wrong" in text) == bool(code)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "give either --mine (with --expr and --at) or --module (with --shape)"),
        (("--mine", "1", "--module", "a.py:B"), "give either --mine"),
        (("--mine", "x2", *SLIDE), "--mine: 1 formulas, but the inputs are x1, x2: one for each"),
        (("--mine", "2x2, x1", *SLIDE), "--mine '2x2', column 2, 'x2': an operator is missing"),
        (("--module", "layers.py"), "write FILE.py:NAME"),
        (("--module", "absent.py:A"), "there is no file absent.py"),
    ],
)
def test_what_cannot_be_checked_ends_with_2(
    cnn_train: Run, options: tuple[str, ...], message: str
) -> None:
    ended = cnn_train("learn", "check", *options)
    assert (ended.exit_code, ended.stdout) == (2, "") and message in ended.stderr


def test_a_layer_that_refuses_every_shape_is_told_with_its_line(
    cnn_train: Run, tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text("def f(x):\n    return x.nonsense()\n")
    ended = cnn_train("learn", "check", "--module", "own.py:f")
    assert ended.exit_code == 2 and len(ended.stderr.splitlines()) == 1
    assert "own.py:2: AttributeError: 'Tensor' object has no attribute 'nonsense'" in ended.stderr
