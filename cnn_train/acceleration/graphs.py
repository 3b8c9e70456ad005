"""Record a network's kernels on a CUDA GPU once for each shape, and replay them at every step.

A small network's kernels are done before Python has started the next ones. A recording (a CUDA
graph) starts all of a pass at once. It works on fixed memory: images are copied in, scores and
gradients lie in the same place after every step, so a step must use them before the next begins.
Shape letters: B minibatch, C channels, H W pixels, K classes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn

from .convolutions import Forward

MOST_RECORDINGS = 64
"""Shapes of minibatches that are recorded; a network computes others as without recordings."""


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
    """
    recordings: dict[tuple[torch.Size, tuple[int, ...]], Callable[[Tensor], Tensor]] = {}
    pool = None

    def compute(images_BCHW: Tensor) -> Tensor:
        nonlocal pool
        key = images_BCHW.shape, images_BCHW.stride()
        is_new = key not in recordings
        if not (network.training and torch.is_grad_enabled()) or (
            is_new and len(recordings) == MOST_RECORDINGS
        ):
            return forward(images_BCHW)
        if is_new:
            pool = pool or torch.cuda.graph_pool_handle()
            with _unchanged(network, images_BCHW.device):
                recordings[key] = cast(
                    Forward,
                    torch.cuda.make_graphed_callables(
                        _Pass(network, forward),
                        (images_BCHW.clone(),),
                        allow_unused_input=True,
                        pool=pool,
                    ),
                )
        return recordings[key](images_BCHW)

    return compute


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
