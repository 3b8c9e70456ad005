"""Match the tensors of a foreign state dict with ours: by name, by order or by shape, no guesses.

The *kind* of a tensor does not depend on its layer's name: it is the last part of the name
(weight, running_mean, …) and the shape.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap

from torch import Tensor

from ..errors import name_some

# Counts batch norm's updates. Only a momentum of None, which no network here has, would use it;
# files of old releases of torch lack it.
UPDATE_COUNTER = "num_batches_tracked"

Kind = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class Match:
    """One tensor's name in the file, its name in the model, its shape and how they were matched."""

    theirs: str
    ours: str
    shape: tuple[int, ...]
    by: str


class NoMatch(ValueError):  # noqa: N818  (the caller makes it an error that names the file)
    """The tensors do not fit the model one to one; the message lists what is wrong."""


def match_tensors(
    theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor], *, is_ordered: bool
) -> list[Match]:
    """Assign every tensor of a file to one of the model, in the model's order.

    Equal names come first. Where names are left over on both sides, the file's order decides, if
    it has one (``is_ordered``) and if both sides have the same sequence of common names and of
    kinds; else kinds decide, if each is unique. Counters of batch norm's updates may be missing.
    Raises NoMatch for anything else.
    """
    theirs, ours = _without_counters(theirs), _without_counters(ours)
    common = [name for name in ours if name in theirs]
    wrong, missing, extra = compare_by_name(theirs, ours)
    if wrong:
        raise NoMatch(list_problems(list(wrong.values()), missing, extra))
    partner, by = {name: name for name in common}, dict.fromkeys(common, "name")
    if missing or extra:
        renamed, how = _match_renamed(theirs, ours, missing, extra, is_ordered=is_ordered)
        partner |= renamed
        by |= dict.fromkeys(renamed, how)
    return [Match(partner[name], name, tuple(ours[name].shape), by[name]) for name in ours]


def _match_renamed(
    theirs: Mapping[str, Tensor],
    ours: Mapping[str, Tensor],
    missing: Mapping[str, Tensor],
    extra: Mapping[str, Tensor],
    *,
    is_ordered: bool,
) -> tuple[dict[str, str], str]:
    """Return our name → theirs for the names that differ, and how they were matched."""
    if is_ordered and _sequence(theirs, extra) == _sequence(ours, missing):
        return dict(zip(missing, extra, strict=True)), "order and shape"
    kinds_of_ours, kinds_of_theirs = (
        Counter(starmap(_kind, tensors.items())) for tensors in (missing, extra)
    )
    if kinds_of_ours != kinds_of_theirs:
        raise NoMatch(list_problems([], missing, extra))
    ambiguous = [kind for kind, number in kinds_of_ours.items() if number > 1]
    if ambiguous:
        examples = [f"{leaf} {shape}" for leaf, shape in ambiguous]
        raise NoMatch(
            f"ambiguous: the names differ, the order does not help, and there are several of "
            f"{name_some(examples)}; {list_problems([], missing, extra)}"
        )
    by_kind = {_kind(name, tensor): name for name, tensor in extra.items()}
    return {name: by_kind[_kind(name, tensor)] for name, tensor in missing.items()}, "shape"


def _sequence(tensors: Mapping[str, Tensor], renamed: Collection[str]) -> list[str | Kind]:
    """Return names where they are common to both sides, kinds where they are not, in order."""
    return [_kind(name, tensors[name]) if name in renamed else name for name in tensors]


def _kind(name: str, tensor: Tensor) -> Kind:
    return name.rpartition(".")[2], tuple(tensor.shape)


def _without_counters(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: t for name, t in tensors.items() if _kind(name, t)[0] != UPDATE_COUNTER}


def compare_by_name(
    theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor]
) -> tuple[dict[str, str], dict[str, Tensor], dict[str, Tensor]]:
    """Return the tensors with another shape (as text), the missing ones and the extra ones."""
    wrong = {
        name: f"{name} {tuple(theirs[name].shape)} instead of {tuple(value.shape)}"
        for name, value in ours.items()
        if name in theirs and theirs[name].shape != value.shape
    }
    missing = {name: value for name, value in ours.items() if name not in theirs}
    extra = {name: value for name, value in theirs.items() if name not in ours}
    return wrong, missing, extra


def list_problems(
    wrong: Sequence[str], missing: Mapping[str, Tensor], extra: Mapping[str, Tensor]
) -> str:
    """List in one line what does not fit: wrong shapes, missing tensors, extra tensors."""
    named = {
        "of a wrong shape": wrong,
        "missing": [f"{name} {tuple(tensor.shape)}" for name, tensor in missing.items()],
        "not in the model": [f"{name} {tuple(tensor.shape)}" for name, tensor in extra.items()],
    }
    return "; ".join(f"{what}: {name_some(names)}" for what, names in named.items() if names)
