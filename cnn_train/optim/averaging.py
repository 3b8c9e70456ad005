"""The exponential moving average of a network's weights: smoother, and often better, than its last.

w̄ ← d·w̄ + (1 − d)·w after every update; the first update copies w (Polyak and Juditsky, 1992, for
the idea). Nothing here waits for the device, which ``torch.optim.swa_utils`` does at every update.
"""

import copy

import torch
from torch import nn


class WeightAverage:
    """The averaged twin of a network, with averaged batch statistics."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(model).requires_grad_(False)
        self.decay = decay
        self.started = False

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the weights of ``model``; counters are copied."""
        theirs, ours = model.state_dict().values(), self.module.state_dict().values()
        pairs = [(ours_, theirs_) for ours_, theirs_ in zip(ours, theirs, strict=True)]
        blended = [pair for pair in pairs if self.started and pair[0].is_floating_point()]
        copied = [pair for pair in pairs if not (self.started and pair[0].is_floating_point())]
        if blended:
            targets, sources = zip(*blended, strict=True)
            torch._foreach_lerp_(list(targets), list(sources), 1 - self.decay)
        for target, source in copied:
            target.copy_(source)
        self.started = True
