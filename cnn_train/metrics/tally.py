"""Counts and sums of minibatches that can be added; means are computed only at the end.

Shape letters: B minibatch, K classes.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..machine.processes import World
from .statistics import count_by_class

UNCOUNTED_3K = torch.zeros(3, 0, dtype=torch.int64)


@dataclass(frozen=True)
class Tally:
    """Sums over ``num_examples`` examples, as 0-dimensional tensors still on the device.

    ``loss_sum`` and ``penalty_sum`` are the mean data loss and the regularisation of each
    minibatch times its size, so that sums over uneven minibatches give exact means.
    ``counts_3K`` are those of :func:`count_by_class`; K is 0 where they were not asked for.
    """

    loss_sum: Tensor
    penalty_sum: Tensor
    num_correct: Tensor
    num_examples: int
    counts_3K: Tensor = UNCOUNTED_3K

    @classmethod
    def zero(cls, num_classes: int = 0) -> "Tally":
        """Return the tally of no examples, counted by ``num_classes``."""
        nothing, none_3K = torch.zeros(()), torch.zeros(3, num_classes, dtype=torch.int64)
        return cls(nothing, nothing, torch.zeros((), dtype=torch.int64), 0, none_3K)

    @classmethod
    def of(
        cls,
        loss: Tensor,
        penalty: Tensor,
        scores_BK: Tensor,
        labels_B: Tensor,
        num_classes: int = 0,
    ) -> "Tally":
        """Count one minibatch from its mean loss, its regularisation and its scores."""
        size, best_B = len(labels_B), scores_BK.detach().argmax(1)
        correct = (best_B == labels_B).sum()
        counts = count_by_class(labels_B, best_B, num_classes) if num_classes else UNCOUNTED_3K
        return cls(loss.detach() * size, penalty.detach() * size, correct, size, counts)

    def __add__(self, other: "Tally") -> "Tally":
        if 0 in (self.num_examples, other.num_examples):  # nothing to bring to a device: no waiting
            return self if other.num_examples == 0 else other
        device = other.loss_sum.device
        return Tally(
            self.loss_sum.to(device) + other.loss_sum,
            self.penalty_sum.to(device) + other.penalty_sum,
            self.num_correct.to(device) + other.num_correct,
            self.num_examples + other.num_examples,
            self.counts_3K.to(device) + other.counts_3K.to(device),
        )

    def over(self, world: World) -> "Tally":
        """Add the tallies of all processes (waits for the device); alone, it is this one."""
        if world.size == 1:
            return self
        counted = (self.loss_sum, self.penalty_sum, self.num_correct, self.num_examples)
        by_class = self.counts_3K.flatten().tolist()
        sums = world.sum([*(float(value) for value in counted), *by_class])
        loss, penalty, (correct, size, *by_class) = *sums[:2], map(int, sums[2:])
        counts_3K = torch.tensor(by_class, dtype=torch.int64).reshape(self.counts_3K.shape)
        return Tally(
            torch.tensor(loss), torch.tensor(penalty), torch.tensor(correct), size, counts_3K
        )

    def is_finite(self) -> bool:
        """Say whether loss and regularisation are both finite (waits for the device)."""
        return math.isfinite(float(self.loss_sum + self.penalty_sum))

    @property
    def loss(self) -> float:
        """Mean data loss per example (waits for the device)."""
        return float(self.loss_sum) / self.num_examples

    @property
    def penalty(self) -> float:
        """Mean regularisation λR(W) over the updates counted (waits for the device)."""
        return float(self.penalty_sum) / self.num_examples

    @property
    def accuracy(self) -> float:
        """Fraction in [0, 1] of examples whose highest score is the label's."""
        return int(self.num_correct) / self.num_examples
