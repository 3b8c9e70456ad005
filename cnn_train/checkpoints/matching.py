"""Match the tensors of a foreign state dict with ours: by name, by order or by shape, no guesses.

The *kind* of a tensor does not depend on its layer's name: it is the last part of the name
(weight, running_mean, …) and the shape.
"""

import re
from collections import Counter
from collections.abc import Mapping
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
    misfits, problems = find_misfits(theirs, ours)
    partners = {name: (name, "name") for name in ours if name not in misfits}
    left_theirs, left_ours = (
        {name: _kind(name, tensor) for name, tensor in side.items() if name in misfits}
        for side in (theirs, ours)
    )
    if Counter(left_theirs.values()) != Counter(left_ours.values()):
        raise NoMatch(problems)
    if is_ordered and _sequence(theirs, left_theirs) == _sequence(ours, left_ours):
        pairs = zip(left_ours, left_theirs, strict=True)
        partners |= {name: (other, "order and shape") for name, other in pairs}
    else:
        counts = Counter(starmap(_kind, ours.items()))
        partners |= _match_by_evidence(left_theirs, left_ours, counts)
    unclear = [f"{leaf} {shape}" for n, (leaf, shape) in left_ours.items() if n not in partners]
    if unclear:
        raise NoMatch(
            f"ambiguous: the names differ, the order does not help, and there are several of "
            f"{name_some(list(dict.fromkeys(unclear)))}; {problems}"
        )
    return [Match(partners[n][0], n, tuple(ours[n].shape), partners[n][1]) for n in ours]


def _sequence(tensors: Tensors, left: Kinds) -> list[str | Kind]:
    """Return names where they are common to both sides, kinds where they are not, in order."""
    return [left.get(name, name) for name in tensors]


def _match_by_evidence(theirs: Kinds, ours: Kinds, counts: Mapping[Kind, int]) -> Partners:
    """Match kinds that the model has once, then the names that these show to be renamed.

    ``layer2.0.conv1`` for ``stage2.0.conv1`` says that every ``layer`` is a ``stage``.
    """
    by_kind = {kind: name for name, kind in theirs.items()}
    partners = {n: (by_kind[kind], "shape") for n, kind in ours.items() if counts[kind] == 1}
    while True:
        renamed = _renamed_words(partners)
        left = theirs.keys() - {their_name for their_name, _ in partners.values()}
        names = {"".join(renamed.get(word, word) for word in _words(n)): n for n in left}
        new = {
            name: (names[name], "renamed")
            for name, kind in ours.items()
            if name not in partners and name in names and theirs[names[name]] == kind
        }
        if not new or len(names) < len(left):
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


def find_misfits(theirs: Tensors, ours: Tensors) -> tuple[set[str], str]:
    """Return the names that one side lacks or that have two shapes, and a line that lists them."""
    wrong = {
        name: f"{name} {tuple(theirs[name].shape)} instead of {tuple(value.shape)}"
        for name, value in ours.items()
        if name in theirs and theirs[name].shape != value.shape
    }
    missing, extra = (
        {name: f"{name} {tuple(one[name].shape)}" for name in one if name not in other}
        for one, other in ((ours, theirs), (theirs, ours))
    )
    named = {"of a wrong shape": wrong, "missing": missing, "not in the model": extra}
    listed = [f"{what}: {name_some(list(each.values()))}" for what, each in named.items() if each]
    return {*wrong, *missing, *extra}, "; ".join(listed)
