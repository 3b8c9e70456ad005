"""Match the tensors of a foreign state dict with ours: by name, by order or by shape, no guesses.

The *kind* of a tensor does not depend on its layer's name: it is the last part of the name
(weight, running_mean, …) and the shape.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import starmap

from torch import Tensor

from ..errors import name_some

# Counts batch norm's updates. Only a momentum of None, which no network here has, would use it;
# files of old releases of torch lack it.
UPDATE_COUNTER = "num_batches_tracked"

Kind = tuple[str, tuple[int, ...]]
Tensors = Mapping[str, Tensor]
Kinds = dict[str, Kind]
Partners = dict[str, tuple[str, str]]  # our name: their name, and how it was found


@dataclass(frozen=True)
class Match:
    """One tensor's name in the file, its name in the model, its shape and how they were matched."""

    theirs: str
    ours: str
    shape: tuple[int, ...]
    by: str


class NoMatch(ValueError):  # noqa: N818  (the caller makes it an error that names the file)
    """The tensors do not fit the model one to one; the message lists what is wrong."""


def match_tensors(theirs: Tensors, ours: Tensors, *, is_ordered: bool) -> list[Match]:
    """Assign every tensor of a file to one of the model, in the model's order.

    Equal names of one shape come first. For what is left over on both sides the file's order
    decides, if it has one (``is_ordered``) and if both sides have the same sequence of equal names
    and of kinds; else kinds that occur once and what they show of the names. Counters of batch
    norm's updates may be missing. Raises NoMatch for anything else.
    """
    theirs, ours = _without_counters(theirs), _without_counters(ours)
    wrong, missing, extra = compare_by_name(theirs, ours)
    partners = {name: (name, "name") for name in ours if name in theirs and name not in wrong}
    if wrong or missing or extra:
        left_theirs, left_ours = (
            {name: _kind(name, tensor) for name, tensor in side.items() if name not in partners}
            for side in (theirs, ours)
        )
        problems = list_problems(list(wrong.values()), missing, extra)
        if Counter(left_theirs.values()) != Counter(left_ours.values()):
            raise NoMatch(problems)
        if is_ordered and _sequence(theirs, left_theirs) == _sequence(ours, left_ours):
            pairs = zip(left_ours, left_theirs, strict=True)
            partners |= {name: (other, "order and shape") for name, other in pairs}
        else:
            counts = Counter(starmap(_kind, ours.items()))
            partners |= _match_by_evidence(left_theirs, left_ours, counts)
        unclear = [left_ours[name] for name in left_ours if name not in partners]
        if unclear:
            examples = dict.fromkeys(f"{leaf} {shape}" for leaf, shape in unclear)
            raise NoMatch(
                f"ambiguous: the names differ, the order does not help, and there are several of "
                f"{name_some(list(examples))}; {problems}"
            )
    return [Match(partners[n][0], n, tuple(ours[n].shape), partners[n][1]) for n in ours]


def _sequence(tensors: Tensors, left: Kinds) -> list[str | Kind]:
    """Return names where they are common to both sides, kinds where they are not, in order."""
    return [left.get(name, name) for name in tensors]


def _match_by_evidence(theirs: Kinds, ours: Kinds, counts: Mapping[Kind, int]) -> Partners:
    """Match kinds that the model has once, then the names that these show to be renamed.

    ``layer2.0.conv1`` for ``stage2.0.conv1`` says that every ``layer`` is a ``stage``.
    """
    partners: Partners = {}
    while True:
        taken = {their_name for their_name, _ in partners.values()}
        left_ours = {name: kind for name, kind in ours.items() if name not in partners}
        left_theirs = {name: kind for name, kind in theirs.items() if name not in taken}
        renamed = _renamed_words(partners)
        names = {
            "".join(renamed.get(word, word) for word in _words(name)): name for name in left_theirs
        }
        new = {
            name: (names[name], "renamed")
            for name, kind in left_ours.items()
            if len(names) == len(left_theirs) and left_theirs.get(names.get(name, "")) == kind
        }
        by_kind = {kind: name for name, kind in left_theirs.items()}
        new = new or {n: (by_kind[k], "shape") for n, k in left_ours.items() if counts[k] == 1}
        if not new:
            return partners
        partners |= new


def _renamed_words(partners: Partners) -> dict[str, str]:
    """Return which word of their names is which of ours, where all matches agree, both ways."""
    pairs = set()
    for ours, (theirs, _) in partners.items():
        a, b = _words(theirs), _words(ours)
        if a[1::2] == b[1::2]:  # the numbers
            pairs |= set(zip(a[::2], b[::2], strict=True))
    once = [Counter(pair[side] for pair in pairs) for side in (0, 1)]
    return {a: b for a, b in pairs if once[0][a] == once[1][b] == 1}


def _words(name: str) -> list[str]:
    """Cut a name into words and numbers, in turns: ``layer``, ``2``, ``.conv``, ``1``, …."""
    return re.split(r"([0-9]+)", name)


def _kind(name: str, tensor: Tensor) -> Kind:
    return name.rpartition(".")[2], tuple(tensor.shape)


def _without_counters(tensors: Tensors) -> dict[str, Tensor]:
    return {name: t for name, t in tensors.items() if _kind(name, t)[0] != UPDATE_COUNTER}


def compare_by_name(
    theirs: Tensors, ours: Tensors
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


def list_problems(wrong: Sequence[str], missing: Tensors, extra: Tensors) -> str:
    """List in one line what does not fit: wrong shapes, missing tensors, extra tensors."""
    named = {
        "of a wrong shape": wrong,
        "missing": [f"{name} {tuple(tensor.shape)}" for name, tensor in missing.items()],
        "not in the model": [f"{name} {tuple(tensor.shape)}" for name, tensor in extra.items()],
    }
    return "; ".join(f"{what}: {name_some(names)}" for what, names in named.items() if names)
