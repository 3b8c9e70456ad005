"""Named random streams: every draw depends on the seed and on its purpose only."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


def derive_seed(seed: int, *stream: str | int) -> int:
    """Return the 63-bit seed of the stream named by ``stream``, e.g. ``(0, "augment", epoch, 7)``.

    SHA-256 makes the streams independent of each other and equal on every platform.
    """
    digest = hashlib.sha256(repr((seed, *stream)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def make_generator(seed: int, *stream: str | int) -> torch.Generator:
    """Make a CPU generator at the start of the named stream."""
    return torch.Generator().manual_seed(derive_seed(seed, *stream))


@contextmanager
def seeded(seed: int, *stream: str | int) -> Iterator[None]:
    """Run the block with torch's global generators at the start of the named stream.

    Weight initialisation draws from the global CPU generator; its state is restored afterwards.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive_seed(seed, *stream))
        yield


def seed_global_generators(seed: int, *stream: str | int) -> None:
    """Start the global generators, from which dropout draws, at the named stream."""
    torch.manual_seed(derive_seed(seed, *stream))


def make_deterministic(device: torch.device) -> None:
    """Let a GPU use only algorithms that give the same bits every time; a CPU's always do.

    cuBLAS reads its variable when it is first used: call this before anything is computed.
    """
    if device.type == "cpu":
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True)


def generator_states() -> dict[str, Any]:
    """Return the states of torch's global generators, from which dropout draws."""
    return {
        "cpu": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "mps": torch.mps.get_rng_state() if torch.backends.mps.is_available() else None,
    }


def restore_generator_states(states: dict[str, Any]) -> None:
    """Set the global generators to states from :func:`generator_states`."""
    torch.set_rng_state(states["cpu"])
    if torch.cuda.is_available() and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
    if torch.backends.mps.is_available() and states["mps"] is not None:
        torch.mps.set_rng_state(states["mps"])


@contextmanager
def same_dropout(seed: int) -> Iterator[None]:
    """Drop out the same units in every such block, and restore the generators afterwards."""
    states = generator_states()
    seed_global_generators(seed, "dropout", 0)
    try:
        yield
    finally:
        restore_generator_states(states)
