"""Check a layer that somebody wrote: is its backward pass the slope of its forward pass?

The layer is an ``autograd.Function``, an ``nn.Module`` or a function of tensors in a file.
Its output, weighted at random and added up, is the loss whose slopes are measured in float64.
"""

import inspect
import re
import runpy
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..checks.slopes import Objective, TensorCheck, check_gradient
from ..errors import CheckFailedError, CnnTrainError, UsageError, in_one_line
from ..page import times
from ..random_streams import make_generator
from .formulas.grading import constant_factor, describe_factor

SHAPES = ((6,), (4, 4), (3, 5), (2, 3, 6, 6))
SAMPLES, DIFFERENCES = 8, 1e6
"""Entries of a tensor, besides a direction through all; how far differences are rounded."""


@dataclass(frozen=True)
class ShapeCheck:
    """The checks of inputs of one shape, then of the weights; or why the layer refuses them."""

    shape: tuple[int, ...]
    tensors: tuple[TensorCheck, ...] = ()
    refusal: str = ""


@contextmanager
def _told_with_its_line(path: Path) -> Iterator[None]:
    """Tell an exception of the file's code in one line; what it prints goes to stderr."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except CnnTrainError:
        raise
    except (Exception, SystemExit) as problem:
        frames = traceback.extract_tb(problem.__traceback__)
        places = [frame for frame in frames if frame.filename == str(path)]
        line = places[-1].lineno if places else getattr(problem, "lineno", None)
        what = in_one_line(str(problem).partition("\n")[0])
        source = f" (in: {places[-1].line})" if places and places[-1].line else ""
        where = f"{path}:{line}" if line else path
        raise UsageError(f"{where}: {type(problem).__name__}: {what}{source}") from None


class OwnLayer:
    """A layer of a file, ready to be called; the file is run. UsageError for what is none."""

    def __init__(self, place: str) -> None:
        file, _, self.name = place.rpartition(":")
        self.path = Path(file)
        if not file or not self.name.isidentifier():
            raise UsageError(f"--module {place}: write FILE.py:NAME, e.g. my_layers.py:MyReLU")
        if not self.path.is_file():
            raise UsageError(f"--module {place}: there is no file {file}")
        with self.telling():
            found = runpy.run_path(str(self.path), run_name="own_layers")
            if self.name not in found:
                known = [name for name, one in found.items() if _is_own(one)]
                raise UsageError(f"{file}: there is no {self.name}; it has {', '.join(known)}")
            self.module, self.call, forward = _make(found[self.name])
        self.num_inputs = max(1, sum(map(_is_required, forward)))

    def telling(self) -> Any:
        """Return the context in which its code runs."""
        return _told_with_its_line(self.path)

    def check(self, shape: tuple[int, ...]) -> ShapeCheck:
        """Compare slopes of inputs of a shape, and of its weights.

        Raises CheckFailedError where it changes its input or draws at random.
        """
        generator = make_generator(0, "own layer")
        make = partial(torch.randn, generator=generator, dtype=torch.float64)
        inputs = {f"input {k + 1}": make(shape).requires_grad_() for k in range(self.num_inputs)}
        given = [tensor.clone() for tensor in inputs.values()]
        try:
            with self.telling():
                output = self.call(*given)
        except UsageError as refusal:
            return ShapeCheck(shape, refusal=str(refusal))
        if not isinstance(output, Tensor) or output.dtype != torch.float64:
            what = getattr(output, "dtype", type(output).__name__)
            raise CheckFailedError(f"{self.name}: a float64 tensor goes in, but {what} comes out")
        if not output.requires_grad:
            raise CheckFailedError(f"{self.name}: its output depends on no input and on no weight")
        if not all(map(torch.equal, inputs.values(), given)):
            raise CheckFailedError(f"{self.name} changes its input; let it work on x.clone()")
        weights = make(output.shape)
        weighted = Objective(lambda: self.call(*inputs.values()), lambda out: (out * weights).sum())
        tensors = inputs | dict(self.module.named_parameters() if self.module else ())
        with self.telling():
            if not torch.equal(self.call(*inputs.values()), output):
                raise CheckFailedError(f"{self.name} gives another output each time; fix its seed")
            checks = check_gradient(weighted, tensors, samples=SAMPLES, generator=generator)
            return ShapeCheck(shape, tuple(checks))


def _is_own(found: object) -> bool:
    return callable(found) and getattr(found, "__module__", None) == "own_layers"


def _is_required(parameter: inspect.Parameter) -> bool:
    plain = (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    return parameter.kind in plain and parameter.default is parameter.empty


def _make(found: Any) -> tuple[nn.Module | None, Callable[..., Any], Sequence[inspect.Parameter]]:
    """Return the module if it is one, what to call, and the parameters of its forward pass."""
    if isinstance(found, type) and issubclass(found, torch.autograd.Function):
        return None, found.apply, list(inspect.signature(found.forward).parameters.values())[1:]
    if not callable(found):
        raise UsageError(f"{found!r} is no layer; name a class or a function")
    parameters = list(inspect.signature(found).parameters.values())
    if isinstance(found, type) or (not isinstance(found, nn.Module) and not parameters):
        if any(map(_is_required, parameters)):
            needs = ", ".join(parameter.name for parameter in parameters)
            raise UsageError(
                f"{found.__name__} needs {needs}: add a function that makes one, e.g. "
                f"def layer(): return {found.__name__}(…), and name it"
            )
        return _make(found())
    if isinstance(found, nn.Module):
        return found.double(), found, list(inspect.signature(found.forward).parameters.values())
    return None, found, parameters


def read_shape(text: str) -> tuple[int, ...]:
    """Read ``4x3`` or ``4×3``; raises UsageError for anything else."""
    if not re.fullmatch(r"[1-9]\d{0,3}([x×][1-9]\d{0,3}){0,5}", text, re.ASCII):
        raise UsageError(f"--shape {text}: write sizes, e.g. 4x10 or 2x3x8x8")
    return tuple(map(int, re.split("[x×]", text)))


def explain(check: TensorCheck, shape: Sequence[int]) -> str:
    """Say which slopes of a tensor are wrong, and whether a sign or a factor explains them."""
    wrong = [one for one in check.slopes if not one.passed]
    worst = max(wrong, key=lambda one: (one.index is not None, one.error))
    where = f"at {list(worst.index)}" if worst.index else "along a drawn direction"
    says = f"the slope is {worst.numeric:.6g}, backward says {worst.backward:.6g}"
    backward, numeric = zip(*((one.backward, one.numeric) for one in check.judged), strict=True)
    factor = constant_factor(backward, numeric, share=DIFFERENCES)
    why = f"; {describe_factor(factor)}" if factor else "; it hands nothing back" * (factor == 0)
    return f"{check.name}, shape {times(shape)}: {where} {says}{why}"
