"""Read a torch file as plain data, and refuse what claims, or unfolds to, more than it holds.

Building takes the work that a file asks for, and a small file can ask for any amount: tuples within
tuples, each twice in the next, make 2ⁿ values of n; one stored number is a tensor of 2³¹. So the
claims are counted before anything is built, and what was built is looked through before it is used.
"""

import io
import pickletools
import sys
import warnings
import zipfile
from typing import Any

import torch
from torch import Tensor

ZIP_START, PICKLE_START = b"PK\x03\x04", b"\x80"

MOST_STRUCTURE_BYTES, MOST_STEPS = 8_000_000, 1_000_000
"""Of the pickle that describes a file's tensors and values, and of the steps to build them.

ResNet-152 with AdamW's state has 0.23 MB and 76,000 steps; 20,000 epochs add 3 MB and 900,000.
"""

MOST_IN_TUPLE = 1000
"""A tuple can be a key, whose hash unfolds it; those of torch have a few numbers."""

MOST_VALUES, DEEPEST, MOST_CLAIMS = 600_000, 30, 4
"""Of the tree; of how often a byte may be claimed: weights that layers share are stored once."""


class NotPlainData(ValueError):  # noqa: N818  (for a file of another program it is no error)
    """A file does not hold plain numbers, texts and tensors, or claims more than it holds."""


def load_plain(content: bytes, harmless: list[Any] | None = None) -> Any:
    """Load a torch file of ``weights_only``; tensors land on the CPU, ``harmless`` globals load.

    Raises NotPlainData where it claims too much, and whatever torch raises where it is damaged.
    """
    require_honest(content)
    with warnings.catch_warnings(), torch.serialization.safe_globals(harmless or []):
        warnings.simplefilter("ignore")  # torch's hints are about files that are refused here
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def require_honest(content: bytes) -> None:
    """Raise NotPlainData where building what a torch file describes takes more than it holds."""
    if not content.startswith(ZIP_START):  # the format before torch 1.6: pickles, then numbers
        stream = io.BytesIO(content[:MOST_STRUCTURE_BYTES])
        for _ in range(5):
            _require_few_steps(stream)
        return
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = archive.infolist()
        if sum(part.file_size for part in parts) > MOST_CLAIMS * len(content):
            raise NotPlainData("its parts are larger than the file")
        for part in parts:
            if part.filename.endswith(".pkl"):
                if part.file_size > MOST_STRUCTURE_BYTES:
                    raise NotPlainData("it describes more values than any network has")
                _require_few_steps(io.BytesIO(archive.read(part)))


def _require_few_steps(stream: io.BytesIO) -> None:
    """Follow a pickle's steps without building anything but the number of values in each tuple.

    Of ``((1, 2), 3)`` the stack sees: mark, 1, 1, 1 (the numbers), then 1, 1 become 3 (the pair and
    itself), then 3, 1 are 4 values inside.
    """
    stack: list[int | None] = []  # None: a mark
    memo: dict[int, int | None] = {}
    for number, (step, argument, _) in enumerate(pickletools.genops(stream)):
        taken = list(step.stack_before)
        inside = 0
        if number > MOST_STEPS:
            raise NotPlainData("it describes more values than any network has")
        if step.name in ("BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE"):
            memo[len(memo) if argument is None else int(argument)] = stack[-1]
            continue
        if pickletools.markobject in taken:
            while (size := stack.pop()) is not None:
                inside += size
            del taken[taken.index(pickletools.markobject) :]
        inside += sum(stack.pop() or 0 for _ in taken)
        if "TUPLE" in step.name and inside > MOST_IN_TUPLE:
            raise NotPlainData(f"it holds a tuple of more than {MOST_IN_TUPLE:,} values")
        if step.name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(memo[int(argument or 0)])
        elif step.stack_after == [pickletools.markobject]:
            stack.append(None)
        elif step.stack_after:
            stack.append(inside + 1 if "TUPLE" in step.name else 1)


def require_plain(tree: Any, num_bytes: int) -> None:
    """Raise NotPlainData unless all in it are finite numbers, texts, containers and plain tensors.

    Containers that hold themselves, or each other over and over, are no tree; tensors cannot have
    more bytes than a file of ``num_bytes`` can describe.
    """
    ends, tensors = [(tree, 0)], []
    for number, (value, depth) in enumerate(ends):  # it grows meanwhile
        if isinstance(value, Tensor):
            tensors.append(value)
        elif isinstance(value, dict):
            if not all(isinstance(key, str | int) for key in value):
                raise NotPlainData("it has keys that are no texts")
            ends += [(inner, depth + 1) for inner in value.values()]
        elif type(value) in (list, tuple):
            ends += [(inner, depth + 1) for inner in value]
        elif isinstance(value, int | float):
            if not abs(value) <= sys.float_info.max:  # nor is NaN
                raise NotPlainData("it holds numbers that are not finite")
        elif not (value is None or isinstance(value, str)):
            raise NotPlainData(f"it holds a {type(value).__name__}")
        if max(number, len(ends)) > MOST_VALUES or depth > DEEPEST:
            raise NotPlainData("it unfolds to more values than any network has")
    for value in tensors:
        is_plain = value.layout == torch.strided and not (value.is_quantized or value.is_meta)
        if not is_plain or value.is_complex() or value.requires_grad:
            raise NotPlainData(f"it holds a tensor of {value.dtype}, {value.layout}")
    if sum(value.nbytes for value in tensors) > MOST_CLAIMS * num_bytes:
        raise NotPlainData("its tensors claim more numbers than the file holds")
    if not all(value.isfinite().all() for value in tensors if value.is_floating_point()):
        raise NotPlainData("it holds numbers that are not finite")
