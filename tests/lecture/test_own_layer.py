from pathlib import Path

import pytest

from cnn_train.errors import CheckFailedError, UsageError
from cnn_train.lecture.own_layer import SHAPES, OwnLayer, explain, read_shape

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "my_layers.py"
LAYERS = """
import torch
from torch import nn

class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x
    @staticmethod
    def backward(ctx, grad):
        return 2 * grad

class Minus(Double):
    @staticmethod
    def backward(ctx, grad):
        return -2 * grad

class Nothing(Double):
    @staticmethod
    def backward(ctx, grad):
        return None

class Raises(Double):
    @staticmethod
    def backward(ctx, grad):
        return grad + unknown

class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x * w
    @staticmethod
    def backward(ctx, grad):
        x, w = ctx.saved_tensors
        return grad * w, grad * w

class Changes(Double):
    @staticmethod
    def forward(ctx, x):
        x += 1
        return 2 * x

def adds(x):
    x += 1
    return x

def alone(x):
    return 2 * x.detach()

class Needs(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, 3)
    def forward(self, x):
        return self.linear(x)

def layer():
    return Needs(10)

def random(x):
    return x * torch.rand(())

def short(x):
    return x.float()

number = 3
"""


@pytest.fixture
def layers(tmp_path: Path) -> Path:
    path = tmp_path / "layers.py"
    path.write_text(LAYERS)
    return path


def problems(layer: OwnLayer, *shapes: tuple[int, ...]) -> list[str]:
    checks = [layer.check(shape) for shape in shapes or SHAPES]
    return [explain(t, one.shape) for one in checks for t in one.tensors if not t.passed]


@pytest.mark.parametrize("name", ["MyReLU", "MyScale"])
def test_a_right_layer_of_the_examples_is_right_for_every_shape(name: str) -> None:
    layer = OwnLayer(f"{EXAMPLES}:{name}")
    assert problems(layer) == []
    assert all(check.tensors for check in map(layer.check, SHAPES))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("WrongReLU", "the slope is 0, backward says"),
        ("WrongSquare", "yours is 0.5 times the right"),
    ],
)
def test_a_wrong_layer_of_the_examples_is_wrong_for_every_shape(name: str, words: str) -> None:
    found = problems(OwnLayer(f"{EXAMPLES}:{name}"))
    assert len(found) == len(SHAPES) and all(words in problem for problem in found)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Minus", "; only the sign is wrong"),
        ("Nothing", "backward says 0; it hands nothing back"),
        ("Product", "input 2, shape 3×5: at ["),
    ],
)
def test_what_is_wrong_is_named(layers: Path, name: str, words: str) -> None:
    (found,) = problems(OwnLayer(f"{layers}:{name}"), (3, 5))
    assert words in found


def test_a_function_may_make_a_module_and_its_weights_are_checked(layers: Path) -> None:
    layer = OwnLayer(f"{layers}:layer")
    check = layer.check((4, 10))
    assert [tensor.name for tensor in check.tensors] == ["input 1", "linear.weight", "linear.bias"]
    assert all(tensor.passed for tensor in check.tensors)
    assert "layers.py:56: RuntimeError: " in layer.check((3, 5)).refusal


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        (
            "Raises",
            UsageError,
            r"layers.py:26: NameError: name 'unknown' is not defined \(in: return",
        ),
        ("Changes", CheckFailedError, "changes its input; let it work on x.clone"),
        ("adds", CheckFailedError, "adds changes its input; let it work on x.clone"),
        ("alone", CheckFailedError, "its output depends on no input and on no weight"),
        ("random", CheckFailedError, "another output each time"),
        ("short", CheckFailedError, "a float64 tensor goes in, but torch.float32 comes out"),
        ("Needs", UsageError, r"Needs needs width: add a function .* def layer\(\): return Needs"),
        ("number", UsageError, "3 is no layer"),
        ("Absent", UsageError, "there is no Absent; it has Double, Minus, "),
    ],
)
def test_what_cannot_be_checked_is_told_in_one_line(
    layers: Path, name: str, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words) as refusal:
        OwnLayer(f"{layers}:{name}").check((3, 5))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def f(:", "own.py:1: SyntaxError"),
        ("import no_such_library", "own.py:1: ModuleNotFoundError: No module named"),
        ("x = 1\nraise SystemExit(3)", "own.py:2: SystemExit: 3"),
    ],
)
def test_a_file_that_cannot_be_run_is_told_with_its_line(
    tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(UsageError, match=words):
        OwnLayer(f"{tmp_path / 'own.py'}:f")


def test_what_the_file_prints_goes_to_stderr(
    layers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layers.write_text(LAYERS + "print('hello')")
    OwnLayer(f"{layers}:Double")
    assert capsys.readouterr() == ("", "hello\n")


def test_shapes_are_read_or_refused() -> None:
    assert (read_shape("4x10"), read_shape("2×3×8×8"), read_shape("7")) == (
        (4, 10),
        (2, 3, 8, 8),
        (7,),
    )
    for wrong in ("0x3", "3,4", "", "x", "99999"):
        with pytest.raises(UsageError, match="--shape"):
            read_shape(wrong)
