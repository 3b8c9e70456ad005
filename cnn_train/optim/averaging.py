"""The exponential moving average of a network's weights, often better than the last weights.

w̄ ← d·w̄ + (1 − d)·w after every update; the first update copies w (Polyak and Juditsky, 1992, for
the idea). Nothing here waits for the device, which ``torch.optim.swa_utils`` does at every update.
"""

import copy

import torch
from torch import Tensor, nn


class WeightAverage:
    """A copy of a network with averaged weights and averaged batch statistics."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(model).requires_grad_(False)
        self.decay = decay
        self.started = False

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the weights of ``model``; counters are copied."""
        targets, sources = list[Tensor](), list[Tensor]()
        ours, theirs = self.module.state_dict().values(), model.state_dict().values()
        for target, source in zip(ours, theirs, strict=True):
            if self.started and target.is_floating_point():
                targets.append(target)
                sources.append(source)
            else:
                target.copy_(source)
        if targets:
            torch._foreach_lerp_(targets, sources, 1 - self.decay)
        self.started = True
