"""Record a network's kernels on a CUDA GPU once for each shape, and replay them at every step.

A small network's kernels are done before Python has started the next ones. A recording (a CUDA
graph) starts all of a pass at once. It works on fixed memory: images are copied in, scores and
gradients lie in the same place after every step, so a step must use them before the next begins.
Shape letters: B minibatch, C channels, H W pixels, K classes.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..errors import NOT_DETERMINISTIC, ConfigError, in_one_line, is_out_of_memory
from .convolutions import Forward

MOST_RECORDINGS = 16
"""Shapes that are recorded, each with memory for gradients of its own; others are computed."""


class _Pass(nn.Module):
    """The network's forward pass as a module of its own: a recording replaces ``forward``."""

    def __init__(self, network: nn.Module, forward: Forward) -> None:
        super().__init__()
        self.network = network  # so that the recording knows its parameters
        self.compute = forward

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Return scores BK."""
        return self.compute(images_BCHW)


def replay(network: nn.Module, forward: Forward) -> Forward:
    """Return ``forward`` of the network, replayed from recordings while gradients are asked for.

    Every minibatch must be an update of its own: gradients that gather over several would be
    overwritten. Batch norm's running statistics and random numbers go on as without recordings.
    The first minibatch of a shape raises ConfigError where the network cannot be recorded.
    """
    recordings: dict[tuple[torch.Size, tuple[int, ...]], Callable[[Tensor], Tensor]] = {}
    pool = None  # recordings share memory: each step is over before the next begins
    with suppress(AttributeError):  # newer torch warns that a recording has a stream of its own
        torch.autograd.graph.set_warn_on_accumulate_grad_stream_mismatch(False)

    def compute(images_BCHW: Tensor) -> Tensor:
        nonlocal pool
        key = images_BCHW.shape, images_BCHW.stride()
        is_full = len(recordings) == MOST_RECORDINGS and key not in recordings
        if is_full or not (network.training and torch.is_grad_enabled()):
            return forward(images_BCHW)
        if key not in recordings:
            if not recordings:
                gc.collect()  # an older network's recordings must not be freed during a new one
            where = images_BCHW.device
            with torch.cuda.device_of(images_BCHW), _unchanged(network, where):  # type: ignore[no-untyped-call]
                pool = pool or torch.cuda.graph_pool_handle()
                recordings[key] = record(_Pass(network, forward), images_BCHW, pool)
        return recordings[key](images_BCHW)

    return compute


def record(network: nn.Module, images_BCHW: Tensor, pool: Any) -> Forward:
    """Record both passes over images of this shape, after three trials on these."""
    try:
        recorded = torch.cuda.make_graphed_callables(
            network, (images_BCHW.clone(),), allow_unused_input=True, pool=pool
        )
    except RuntimeError as problem:
        if is_out_of_memory(problem) or NOT_DETERMINISTIC in str(problem):
            raise
        raise ConfigError(
            f"cuda_graphs: this network cannot be recorded ({in_one_line(problem)}); "
            "set it to false"
        ) from problem
    return cast(Forward, recorded)


@contextmanager
def _unchanged(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Undo what trial passes do: they move running statistics and use up random numbers."""
    before = [buffer.clone() for buffer in network.buffers()]
    random_state = torch.cuda.get_rng_state(device)
    yield
    torch.cuda.set_rng_state(random_state, device)
    with torch.no_grad():
        for buffer, old in zip(network.buffers(), before, strict=True):
            buffer.copy_(old)
