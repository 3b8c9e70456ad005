"""The exponential moving average of a network's weights, often better than the last weights.

w̄ ← dₙ·w̄ + (1 − dₙ)·w after update n, counted from 0 (Polyak and Juditsky, 1992, for the idea). The
first one copies w; then dₙ = min(d, (1 + n)/(10 + n)), as TensorFlow's ``ExponentialMovingAverage``
has it: while d is too slow for the few updates so far, about the last tenth of them count. Nothing
here waits for the device, which ``torch.optim.swa_utils`` does at every update.
"""

import copy

import torch
from torch import Tensor, nn


class WeightAverage:
    """A copy of a network with averaged weights and averaged batch statistics."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(model).requires_grad_(False)
        self.decay = decay
        self.num_updates = 0
        """Updates in the average so far."""

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the weights of ``model``; counters are copied."""
        targets, sources = list[Tensor](), list[Tensor]()
        ours, theirs = self.module.state_dict().values(), model.state_dict().values()
        for target, source in zip(ours, theirs, strict=True):
            if self.num_updates and target.is_floating_point():
                targets.append(target)
                sources.append(source)
            else:
                target.copy_(source)
        if targets:
            warm_up = (1 + self.num_updates) / (10 + self.num_updates)
            torch._foreach_lerp_(targets, sources, 1 - min(self.decay, warm_up))
        self.num_updates += 1
