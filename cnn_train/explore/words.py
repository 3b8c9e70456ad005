"""What a layer does, in the words of a page."""

from typing import Any

from torch import Tensor, nn

from ..page import times
from ..visualize.layer_sums import BATCH_NORMS, POOLS
from ..visualize.layers import ACTIVATIONS, Units

FORMULAS: dict[type[nn.Module], str] = {
    nn.ReLU: "ReLU: max(0, x)",
    nn.ReLU6: "ReLU6: x, at least 0 and at most 6",
    nn.Sigmoid: "sigmoid: 1 / (1 + exp(−x))",
    nn.SiLU: "SiLU: x · sigmoid(x)",
    nn.GELU: "GELU: x · Φ(x), the normal distribution",
    nn.Tanh: "tanh: (exp(x) − exp(−x)) / (exp(x) + exp(−x))",
    nn.Hardsigmoid: "hard sigmoid: (x + 3) / 6, at least 0 and at most 1",
    nn.Hardswish: "hard swish: x · hard sigmoid(x)",
}


def describe_layer(module: nn.Module, units: Units, given: Tensor) -> tuple[str, str]:
    """Return the kind of a layer that reads ``given``, and what it does."""
    settings: Any = module
    channels, name = f"{units.num_channels:,}", type(module).__name__
    if isinstance(module, nn.Conv2d):
        size, reads = times(module.kernel_size), f"{module.in_channels:,}"
        groups = "" if module.groups == 1 else f", in {module.groups} groups"
        how = f"{_window(settings)}{groups}"
        return "convolution", f"{size} convolution, {reads} → {channels} channels, {how}"
    if isinstance(module, nn.Linear):
        return "linear", f"fully connected, {module.in_features:,} → {channels} numbers"
    if isinstance(module, BATCH_NORMS):
        return "batch norm", f"batch norm: a scale and a shift for each of {channels} channels"
    if isinstance(module, ACTIVATIONS):
        return "activation", FORMULAS.get(type(module), name)
    if isinstance(module, POOLS) or "Pool" in name:
        return "pooling", _pooling(settings, units)
    if isinstance(module, nn.Flatten):
        return "other", f"{times(given.shape[1:])} maps as {channels} numbers in a row"
    details = settings.extra_repr()
    return "other", f"{name} ({details})" if details else name


def _pooling(settings: Any, units: Units) -> str:
    what = "mean" if "Avg" in type(settings).__name__ else "largest number"
    if not hasattr(settings, "kernel_size"):
        is_one = units.map_size == (1, 1)
        return f"{what} of each {'map' if is_one else f'of {times(units.map_size)} parts'}"
    size = settings.kernel_size
    cells = times((size, size) if isinstance(size, int) else size)
    return f"{what} of each {cells} cells, {_window(settings)}"


def _window(settings: Any) -> str:
    """Write the stride and the padding of a window, each as one number where its sides agree."""
    words = []
    for what in ("stride", "padding"):
        value = getattr(settings, what)
        sides = (value,) if isinstance(value, int | str) else tuple(value)
        words.append(f"{what} {times(dict.fromkeys(sides))}")
    return ", ".join(words)
