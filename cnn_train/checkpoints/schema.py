"""What the fields of a checkpoint must hold, before any of them is used."""

from functools import cache
from typing import Annotated, Any, NotRequired, get_type_hints

import torch
from annotated_types import Predicate
from pydantic import ConfigDict, Field, InstanceOf, JsonValue, TypeAdapter
from torch import Tensor
from typing_extensions import TypedDict

from ..metrics.best import RECORD_KEYS

LARGEST_SIDE_PX = 4096
validator = cache(TypeAdapter)  # to make one takes longer than to use it
WITH_TENSORS = {
    "model", "averaged_model", "optimizer", "generators", "partial_tally", "training_images",
    "image_losses",
}  # fmt: skip
"""All other fields are as JSON can hold them."""

Count = Annotated[int, Field(ge=0, lt=2**62)]
Side = Annotated[int, Field(ge=1, le=LARGEST_SIDE_PX)]
ImageShape = Annotated[list[Side], Field(min_length=3, max_length=3)]
Names = Annotated[list[str], Field(min_length=1)]
Weights = Annotated[dict[str, InstanceOf[Tensor]], Field(min_length=1)]
Number = Annotated[InstanceOf[Tensor], Predicate(lambda value: value.dim() == 0)]
Hashes = Annotated[
    InstanceOf[Tensor], Predicate(lambda value: value.dim() == 1 and value.dtype == torch.int64)
]
ImageLosses = Annotated[
    InstanceOf[Tensor],
    Predicate(lambda two: two.dim() == len(two) == 2 and two.dtype == torch.float32),
]
Record = Annotated[dict[str, float], Predicate(lambda record: record.keys() >= RECORD_KEYS)]


class _Means(TypedDict):
    mean: list[Annotated[float, Field(ge=0, le=1)]]
    std: list[Annotated[float, Field(gt=0, le=1)]]


class _Change(TypedDict):
    step: Count
    key: str
    before: Any
    after: Any


class _ParameterGroup(TypedDict):
    params: list[Count]
    lr: Annotated[float, Field(ge=0)]
    initial_lr: Annotated[float, Field(gt=0)]
    step: NotRequired[Count]


class _OptimizerState(TypedDict):
    state: dict[int, dict[str, Any]]
    param_groups: Annotated[list[_ParameterGroup], Field(min_length=1)]


class _GeneratorStates(TypedDict):
    cpu: InstanceOf[Tensor]
    cuda: list[InstanceOf[Tensor]]
    mps: InstanceOf[Tensor] | None


class _Sums(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    loss_sum: Number
    penalty_sum: Number
    num_correct: Number
    num_examples: Count


RUN_PARTS = {"optimizer": _OptimizerState, "generators": _GeneratorStates, "partial_tally": _Sums}
"""What weights alone, imported or slim, have nothing of."""


def require_fields(state: dict[str, Any], checkpoint_type: type) -> None:
    """Require all fields of a checkpoint, each of its type, and that they agree.

    Raises TypeError or ValueError. Whether they fit the network, and the run that goes on from
    them, is found where those are.
    """
    kinds = get_type_hints(checkpoint_type, include_extras=True)
    if state.keys() != kinds.keys():
        raise TypeError
    kinds |= {"normalization": _Means, "config_changes": list[_Change]}
    kinds |= RUN_PARTS if state["imported_from"] is None else {}
    json = {name: state[name] for name in state.keys() - WITH_TENSORS}
    validator(dict[str, JsonValue]).validate_python(json)
    for name, kind in kinds.items():
        validator(kind).validate_python(state[name], strict=True)
    epoch, means, records = state["epoch"], state["normalization"], state["records"]
    if (
        [len(means["mean"]), len(means["std"])] != 2 * state["image_shape"][:1]
        or len(records) != epoch
        or [record["epoch"] for record in records] != list(range(epoch))
        or len(set(state["class_names"])) < len(state["class_names"])
    ):
        raise ValueError
