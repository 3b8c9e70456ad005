"""The last layer of a network: the one that gives the scores."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn


def head_tensors(model: nn.Module) -> frozenset[str]:
    """Name the tensors of the layer that gives the scores."""
    name, layer = head_layer(model)
    return frozenset(f"{name}.{own}".removeprefix(".") for own in layer.state_dict())


def head_layer(model: nn.Module) -> tuple[str, nn.Module]:
    """Return the name of the layer that gives the scores, and the layer: the last one with weights.

    Every network of the zoo defines its head last; the tests check this by a forward pass.
    """
    layers = [
        (name, layer)
        for name, layer in model.named_modules()
        if next(layer.parameters(recurse=False), None) is not None
    ]
    return layers[-1]


@contextmanager
def reading_inputs(layer: nn.Module) -> Iterator[list[Tensor]]:
    """Collect on the CPU what enters ``layer`` while the block runs."""
    inputs: list[Tensor] = []
    with layer.register_forward_pre_hook(lambda _, given: inputs.append(given[0].cpu())):
        yield inputs
