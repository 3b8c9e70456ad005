"""A network in few parts: layers that belong together, and blocks that repeat.

Shape letters: B minibatch, C channels, H W pixels.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from .summary import evaluating

Named = tuple[str, nn.Module]

WORDS = {
    "Linear": "fully connected", "MaxPool2d": "max pool", "AvgPool2d": "average pool",
    "AdaptiveAvgPool2d": "mean of the map", "AdaptiveMaxPool2d": "maximum of the map",
    "BatchNorm2d": "norm", "GroupNorm": "norm", "LayerNorm": "norm", "LayerNorm2d": "norm",
}  # fmt: skip
"""What layers are called, where their class's name is not plain English."""

SAID_BY_SHAPES = (nn.Flatten, nn.Identity, nn.Dropout)
"""Layers that a picture does not name."""

STARTS_A_PART = ("Conv2d", "Linear", "Pool2d")


@dataclass(frozen=True)
class Part:
    """``count`` equal parts one after the other: from ``name`` on, each does ``what``.

    output_shape: (C, H, W), or (D,) once the maps are flat; of the last one. parameters: of all.
    """

    name: str
    what: str
    count: int
    output_shape: tuple[int, ...]
    parameters: int


def outline(model: nn.Module, image_shape: Sequence[int]) -> list[Part]:
    """List a network's parts in the order in which an image of ``image_shape`` passes them."""
    groups = [group for group in _groups(model) if group]
    shapes = _output_shapes(model, [module for group in groups for _, module in group], image_shape)
    made = [_part(group, shapes) for group in groups if any(m in shapes for _, m in group)]
    order = list(shapes)
    parts = [part for _, part in sorted(made, key=lambda one: order.index(one[0]))]
    joined = []
    for _, alike in groupby(parts, key=lambda part: (part.what, part.output_shape)):
        run = list(alike)
        count, parameters = sum(p.count for p in run), sum(p.parameters for p in run)
        joined.append(replace(run[0], count=count, parameters=parameters))
    return [part for part in joined if part.what]


def _groups(module: nn.Module, prefix: str = "") -> Iterator[list[Named]]:
    """Yield the modules of each part: a block, or a layer with the norm and activation behind it.

    Plain sequences are opened; other modules with children are blocks.
    """
    group: list[Named] = []
    for key, child in module.named_children():
        name, is_leaf = f"{prefix}{key}", next(child.children(), None) is None
        if not is_leaf or type(child).__name__.endswith(STARTS_A_PART):
            yield group
            group = []
        if is_leaf:
            group.append((name, child))
        elif type(child) is nn.Sequential and _are_blocks(child):
            yield from ([(name, block)] for block in child)
        elif type(child) is nn.Sequential:
            yield from _groups(child, f"{name}.")
        else:
            yield [(name, child)]
    yield group


def _are_blocks(sequence: nn.Sequential) -> bool:
    """Whether a sequence is one block, repeated."""
    kinds = {type(block) for block in sequence}
    is_one = len(kinds) == 1 and nn.Sequential not in kinds
    return is_one and next(sequence[0].children(), None) is not None


def _output_shapes(
    model: nn.Module, modules: Sequence[nn.Module], image_shape: Sequence[int]
) -> dict[nn.Module, tuple[int, ...]]:
    """Return what comes out of each module, without B, in the order in which they end."""
    shapes: dict[nn.Module, tuple[int, ...]] = {}

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            shapes[module] = tuple(output.shape[1:])

    some_weight = next(model.parameters())
    images_BCHW = torch.zeros(1, *image_shape, device=some_weight.device, dtype=some_weight.dtype)
    with ExitStack() as hooks, evaluating(model), torch.no_grad():
        for module in modules:
            hooks.enter_context(module.register_forward_hook(note))
        model(images_BCHW)
    return shapes


def _part(
    group: Sequence[Named], shapes: dict[nn.Module, tuple[int, ...]]
) -> tuple[nn.Module, Part]:
    """Make one part of a group, and return the last module of it that ran."""
    ran = [(name, module) for name, module in group if module in shapes]
    named = [module for _, module in ran if not isinstance(module, SAID_BY_SHAPES)]
    parameters = sum(p.numel() for module in named for p in module.parameters())
    last = (named or [ran[-1][1]])[-1]
    what = ", ".join(map(_word, named))
    return last, Part(ran[0][0], what, 1, shapes[last], parameters)


def _word(module: nn.Module) -> str:
    """Return what a module is called: ``conv 3×3 / 2``, ``basic block``."""
    kind = type(module).__name__
    if isinstance(module, nn.Conv2d):
        stride = f" / {module.stride[0]}" if module.stride[0] > 1 else ""
        return f"conv {module.kernel_size[0]}×{module.kernel_size[1]}{stride}"
    if kind in WORDS or next(module.children(), None) is None:
        return WORDS.get(kind, kind)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).strip("_").lower()
