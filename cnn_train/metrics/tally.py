"""Counts and sums of minibatches that can be added; means are computed only at the end.

Shape letters: B minibatch, K classes.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..machine.processes import World


@dataclass(frozen=True)
class Tally:
    """Sums over ``num_examples`` examples, as 0-dimensional tensors still on the device.

    ``loss_sum`` and ``penalty_sum`` are the mean data loss and the regularisation of each
    minibatch times its size, so that sums over uneven minibatches give exact means.
    """

    loss_sum: Tensor
    penalty_sum: Tensor
    num_correct: Tensor
    num_examples: int

    @classmethod
    def zero(cls) -> "Tally":
        """Return the tally of no examples."""
        return cls(torch.zeros(()), torch.zeros(()), torch.zeros((), dtype=torch.int64), 0)

    @classmethod
    def of(cls, loss: Tensor, penalty: Tensor, scores_BK: Tensor, labels_B: Tensor) -> "Tally":
        """Count one minibatch from its mean loss, its regularisation and its scores."""
        size = len(labels_B)
        correct = (scores_BK.detach().argmax(1) == labels_B).sum()
        return cls(loss.detach() * size, penalty.detach() * size, correct, size)

    def __add__(self, other: "Tally") -> "Tally":
        if self.num_examples == 0:  # nothing to bring to the other's device, which would wait
            return other
        device = other.loss_sum.device
        return Tally(
            self.loss_sum.to(device) + other.loss_sum,
            self.penalty_sum.to(device) + other.penalty_sum,
            self.num_correct.to(device) + other.num_correct,
            self.num_examples + other.num_examples,
        )

    def over(self, world: World) -> "Tally":
        """Add the tallies of all processes (waits for the device); alone, it is this one."""
        if world.size == 1:
            return self
        counted = (self.loss_sum, self.penalty_sum, self.num_correct, self.num_examples)
        loss, penalty, correct, size = world.sum([float(value) for value in counted])
        return Tally(
            torch.tensor(loss), torch.tensor(penalty), torch.tensor(int(correct)), int(size)
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
