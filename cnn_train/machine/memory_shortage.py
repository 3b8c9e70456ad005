"""Explain a lack of memory: on which device, at which batch size, how much, what to try."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..errors import ResourceError, counted, is_out_of_memory

# In messages of torch, on a GPU and on the CPU, and of NumPy.
ASKED = re.compile(r"(?:ried|nable) to allocate ([\d.]+) (\w+)")
FREE = re.compile(r"total capacity of ([\d.]+ \w+) of which ([\d.]+ \w+) is free")


@contextmanager
def memory_explained(
    device: torch.device, batch_size: int, option: str | None = None
) -> Iterator[None]:
    """Turn a lack of memory inside the block into a ResourceError that says what to try.

    batch_size: images per pass that were asked for. option: what lowers it on the command line,
    such as ``--set batch_size``; None where nothing does. The recipe itself is never changed.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as problem:
        if not is_out_of_memory(problem):
            raise
        raise ResourceError(_describe(str(problem), device, batch_size, option)) from problem


def _describe(message: str, device: torch.device, batch_size: int, option: str | None) -> str:
    facts = [f"out of memory on {device} with {counted(batch_size, 'image')} per batch"]
    if asked := ASKED.search(message):
        number, unit = asked.groups()  # bytes are of the CPU; of a GPU, torch writes MiB or GiB
        size = f"{int(number) / 2**20:,.0f} MiB" if unit == "bytes" else f"{number} {unit}"
        facts.append(f"{size} more were asked for")
    if free := FREE.search(message):
        facts.append(f"{free[2]} of {free[1]} were free")
    smaller = f"{option}={batch_size // 2} or " if option and batch_size > 1 else ""
    return f"{', '.join(facts)}; try {smaller}a smaller model"
