"""The last layer of a network: the one that gives the scores."""

from torch import nn


def head_tensors(model: nn.Module) -> frozenset[str]:
    """Name the tensors of the layer that gives the scores."""
    name, layer = head_layer(model)
    return frozenset(f"{name}.{own}".removeprefix(".") for own in layer.state_dict())


def head_layer(model: nn.Module) -> tuple[str, nn.Module]:
    """Find the layer that gives the scores, and its name: the last one with weights.

    Every network defines its layers in the order in which images pass them, or at least its head
    last; the tests compare this with a forward pass through each one.
    """
    layers = [
        (name, layer)
        for name, layer in model.named_modules()
        if next(layer.parameters(recurse=False), None) is not None
    ]
    return layers[-1]
