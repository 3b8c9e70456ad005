"""The learning rate of each parameter: the same for all, or with a factor for some layers."""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

from pydantic import Field
from torch import nn

from ..errors import ConfigError, name_some

MOST_LR = 1e30
MOST_FACTOR = 1e6
"""Any network diverges long before; torch refuses steps that float32 cannot hold (3.4e38)."""

Rate = Annotated[float, Field(gt=0, le=MOST_LR)]
Factor = Annotated[float, Field(gt=0, le=MOST_FACTOR)]


def factor_of(name: str, factors: Mapping[str, float]) -> float:
    """Return the factor given for the longest prefix of the parameter's ``name``, else 1."""
    parts = name.split(".")
    prefixes = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next((factors[prefix] for prefix in prefixes if prefix in factors), 1.0)


def scaled(factors: Mapping[str, float], names: Iterable[str], factor: float) -> dict[str, float]:
    """Return ``factors`` with those of the parameters ``names`` multiplied by ``factor``."""
    return {**factors, **{name: factor * factor_of(name, factors) for name in names}}


def parameter_groups(
    model: nn.Module,
    factors: Mapping[str, float],
    settings_of: Callable[[str, nn.Parameter], dict[str, Any]],
) -> list[dict[str, Any]]:
    """Sort the trained parameters into groups of equal settings, in the order they first appear.

    ``settings_of(name, parameter)`` returns a group's settings with ``lr``, which the factor then
    scales; each group keeps its rate as ``initial_lr`` too. Raises ConfigError where the network
    lacks a layer of ``factors``.
    """
    known = {name for name, _ in model.named_modules()} | {n for n, _ in model.named_parameters()}
    if unknown := [name for name in factors if name not in known]:
        raise ConfigError(
            f"optimizer.lr_factors: the network has no {name_some(unknown)}; "
            "`cnn-train models show NAME` lists its layers"
        )
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        settings = settings_of(name, parameter)
        lr = settings["lr"] * factor_of(name, factors)
        settings |= {"lr": lr, "initial_lr": lr}
        group = groups.setdefault(tuple(settings.items()), {"params": [], **settings})
        group["params"].append(parameter)
    return list(groups.values())
