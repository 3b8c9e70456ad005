"""Put the tensors of a foreign file into a network of ours, or say what to write to make it fit."""

import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import CheckpointError, ConfigError, UsageError, name_some
from ..models.architecture import ArchitectureConfig
from ..models.head import head_layer
from ..models.torchvision_models import TorchvisionConfig
from .foreign import ForeignWeights
from .matching import Match, NoMatch, match_tensors

MOST_HEADS = 10
"""How many tensors of the shape of a last layer are tried as one."""


class _NothingDrawn(TorchFunctionMode):
    """Leaves out the random numbers: without memory they are none, yet take seconds."""

    def __torch_function__(
        self, function: Any, types: Any, arguments: Any = (), options: Any = None
    ) -> Any:
        """Do as torch does, but return a tensor that is to be drawn as it is."""
        is_drawing = getattr(function, "__module__", "") == "torch.nn.init"
        if is_drawing or getattr(function, "__name__", "") in ("normal_", "uniform_"):
            return arguments[0] if arguments else (options or {})["tensor"]
        return function(*arguments, **(options or {}))


@dataclass(frozen=True)
class Blueprint:
    """What a network is built from; image_shape is (C, H, W)."""

    architecture: ArchitectureConfig
    num_classes: int
    image_shape: tuple[int, int, int]

    def outline(self) -> nn.Module:
        """Build the network without its numbers, however large it may be."""
        with torch.random.fork_rng(devices=[]), torch.device("meta"), _NothingDrawn():
            return self.architecture.build(self.num_classes, self.image_shape)

    def match(self, weights: ForeignWeights) -> list[Match]:
        """Assign the file's tensors to the network's; raises NoMatch."""
        ours = self.outline().state_dict()
        return match_tensors(weights.tensors, ours, is_ordered=weights.is_ordered)

    def find_fitting(self, weights: ForeignWeights) -> "Blueprint | None":
        """Find a number of classes, or torchvision's form of the network, that takes the file."""
        shapes = [tensor.shape for tensor in weights.tensors.values()]
        for blueprint in (self, *self._of_torchvision("original"), *self._of_torchvision("small")):
            with suppress(ConfigError):
                head = head_layer(blueprint.outline())[1].state_dict()["weight"].shape
                counts = [s[0] for s in shapes if len(s) == len(head) and s[1:] == head[1:]]
                for count in list(dict.fromkeys([self.num_classes, *counts]))[:MOST_HEADS]:
                    with suppress(NoMatch):
                        found = replace(blueprint, num_classes=count)
                        found.match(weights)
                        return found
        return None

    def fill(self, weights: ForeignWeights, path: Path) -> tuple[dict[str, Tensor], list[Match]]:
        """Return the network's state dict with the file's numbers, and the matches.

        Raises CheckpointError where the tensors do not fit one to one, are no plain numbers or are
        not finite, UsageError where they fit a published network whose strides are others.
        """
        try:
            matches = self.match(weights)
        except NoMatch as problem:
            found = self.find_fitting(weights)
            advice = self._advise(found, path) if found else str(problem)
            if weights.left_out:
                advice += f"; left out: {name_some(weights.left_out)}"
            raise CheckpointError(f"{path}: does not fit the config's model: {advice}") from None
        if not weights.is_ours:
            self._require_one_reading(weights, path)
        state: dict[str, Tensor] = self.outline().state_dict()  # with the versions of its layers
        # A file may lack the counters of updates: they are 0, as in a fresh network.
        for name, value in state.items():
            state[name] = torch.zeros(value.shape, dtype=value.dtype)
        for match in matches:
            theirs = weights.tensors[match.theirs]
            state[match.ours] = _convert(theirs, state[match.ours].dtype, match, path)
        return state, matches

    def _of_torchvision(self, stem: str) -> Iterator["Blueprint"]:
        """Yield the network as torchvision has it, if it has, without and with batch norm."""
        name = getattr(self.architecture, "architecture", self.architecture.name)
        for one in (name, f"{name}_bn"):
            with suppress(ValidationError):  # no such network
                settings = {"architecture": one, "stem": stem}
                yield replace(self, architecture=TorchvisionConfig.model_validate(settings))

    @property
    def setting(self) -> str:
        """The network as ``--set`` takes it."""
        given = self.architecture.model_dump(include={"name"} | self.architecture.model_fields_set)
        settings = ", ".join(f"{key}: {value}" for key, value in given.items())
        return f"--set 'model={{{settings}}}'"

    def _advise(self, other: "Blueprint", path: Path) -> str:
        """Say what to write so that the network becomes ``other``."""
        setting = f"{other.setting} " if other.architecture != self.architecture else ""
        if other.num_classes == self.num_classes:
            return f"it has other first layers or names; add {setting}".rstrip()
        return (
            f"it tells apart {other.num_classes} classes, not {self.num_classes}; add {setting}and "
            f"name them with --classes, or fine-tune with: cnn-train fit --config CONFIG {setting}"
            f"--weights {shlex.quote(str(path))} --new-head"
        )

    def _require_one_reading(self, weights: ForeignWeights, path: Path) -> None:
        """Raise UsageError where the names are those of a published network with other strides."""
        if "stem" in self.architecture.model_fields_set:
            return
        for other in self._of_torchvision("original"):
            with suppress(NoMatch, ConfigError):
                by_name = all(match.by == "name" for match in other.match(weights))
                if by_name and repr(other.outline()) != repr(self.outline()):
                    raise UsageError(
                        f"{path}: fits torchvision's own network, whose first layers shrink images "
                        f"more, and a state dict says nothing of strides; add {other.setting} "
                        "if it is that one, with stem: small if it is not"
                    )


def _convert(theirs: Tensor, dtype: torch.dtype, match: Match, path: Path) -> Tensor:
    """Return the file's numbers as ``dtype``, contiguous."""
    plain = theirs.layout == torch.strided and not (theirs.is_quantized or theirs.is_meta)
    if not plain or theirs.is_floating_point() != dtype.is_floating_point:
        where = "without numbers (meta)" if theirs.is_meta else f"of layout {theirs.layout}"
        raise CheckpointError(
            f"{path}: {match.theirs} is a tensor of {theirs.dtype} {where}; "
            f"{match.ours} needs plain numbers of {dtype}"
        )
    converted = theirs.detach().to(dtype, copy=True).contiguous()
    if not converted.isfinite().all():
        raise CheckpointError(f"{path}: {match.theirs} holds numbers that are not finite")
    return converted
