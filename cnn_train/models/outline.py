"""A network in few parts: layers that belong together, and blocks that repeat.

Shape letters: B minibatch, C channels, H W pixels.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from .summary import evaluating

Named = tuple[str, nn.Module]

WORDS = {
    "Linear": "fully connected", "MaxPool2d": "max pool", "AvgPool2d": "average pool",
    "AdaptiveAvgPool2d": "average pool", "AdaptiveMaxPool2d": "max pool",
    "BatchNorm2d": "norm", "GroupNorm": "norm", "LayerNorm": "norm", "LayerNorm2d": "norm",
}  # fmt: skip
"""What layers are called, where their class's name is not plain English."""

SAID_BY_SHAPES = (nn.Flatten, nn.Identity, nn.Dropout)
"""Layers that a picture does not name."""

MAIN_LAYERS = ("Conv2d", "Linear", "Pool2d")
"""Ends of the names of layers of which a part has only one."""


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
    joined: list[Part] = []
    for part in filter(lambda part: part.what, parts):
        above = joined[-1] if joined else None
        if above and _are_alike(above, part):
            count, parameters = above.count + 1, above.parameters + part.parameters
            part = replace(part, name=above.name, count=count, parameters=parameters)
            joined.pop()
        joined.append(part)
    return joined


def _are_alike(above: Part, part: Part) -> bool:
    """Whether two parts do the same to maps of one size; blocks of a sequence may grow in C."""
    same_sequence = above.name == part.name and above.output_shape[1:] == part.output_shape[1:]
    return above.what == part.what and (same_sequence or above.output_shape == part.output_shape)


def _groups(module: nn.Module, prefix: str = "") -> Iterator[list[Named]]:
    """Yield the modules of each part: a block, or a layer with the norm and activation behind it.

    Sequences are opened; other modules with children are blocks.
    """
    group: list[Named] = []
    for key, child in module.named_children():
        name, is_leaf = f"{prefix}{key}", next(child.children(), None) is None
        if not is_leaf or (_is_main(child) and any(_is_main(m) for _, m in group)):
            yield group
            group = []
        if is_leaf:
            group.append((name, child))
        elif isinstance(child, nn.Sequential) and _are_blocks(child):
            yield from ([(name, block)] for block in child)
        elif isinstance(child, nn.Sequential):
            yield from _groups(child, f"{name}.")
        else:
            yield [(name, child)]
    yield group


def _is_main(module: nn.Module) -> bool:
    return type(module).__name__.endswith(MAIN_LAYERS)


def _are_blocks(sequence: nn.Sequential) -> bool:
    """Whether a sequence is one block, repeated."""
    kinds = {type(block) for block in sequence}
    is_one = len(kinds) == 1 and not isinstance(sequence[0], nn.Sequential)
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
    words = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", kind)
    return WORDS.get(kind) or (kind if words == kind else words.lower())
