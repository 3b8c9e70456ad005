"""Train on the hardest share of the images once the easy ones are learned.

An image is as hard as its data loss was when it was last trained on, which is known for free.
(Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024, arXiv:2404.00498, selects in its
96 % variant by the loss of a small second network.) A random share of the same size is the control.
Shape letters: N examples. losses_2N: before the epoch under way, and in it.
"""

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from ..config.base import Config
from ..random_streams import make_generator

NEVER = torch.finfo(torch.float32).max
NO_LOSS_21 = torch.tensor([[NEVER], [-NEVER]])
"""Of an image that was never trained on, or not yet in this epoch: the hardest, and finite."""


class SelectionConfig(Config):
    """Settings of the share of the images that the later epochs train on."""

    keep: float = Field(
        default=1.0, gt=0, le=1, description="share of the images in an epoch, in (0, 1]; 1: all"
    )
    from_epoch: int = Field(
        default=3, ge=0, description="first epoch that trains on a share, from 0; by loss: ≥ 1"
    )
    by: Literal["loss", "random"] = Field(
        default="loss",
        description="loss: the images of the largest last loss; random: drawn anew each epoch",
    )

    @model_validator(mode="after")
    def _has_losses(self) -> "SelectionConfig":
        if self.by == "loss" and self.from_epoch == 0:
            raise ValueError(
                "from_epoch 0: no image has a loss yet; write 1 or more, or by: random"
            )
        return self

    def num_kept(self, epoch: int, num_examples: int) -> int:
        """Return how many of the examples ``epoch`` trains on."""
        return num_examples if epoch < self.from_epoch else max(1, round(self.keep * num_examples))

    def choose(self, order_N: Tensor, epoch: int, seed: int, losses_2N: Tensor | None) -> Tensor:
        """Leave the chosen in an epoch's order: the first of equals; drawn without losses."""
        num_kept = self.num_kept(epoch, len(order_N))
        if num_kept == len(order_N):
            return order_N
        if losses_2N is None:
            generator = make_generator(seed, "selection", epoch)
            ranked_N = torch.randperm(len(order_N), generator=generator)
        else:
            ranked_N = losses_2N[0].cpu().argsort(descending=True, stable=True)
        is_chosen_N = torch.zeros(len(order_N), dtype=torch.bool)
        is_chosen_N[ranked_N[:num_kept]] = True
        return order_N.masked_select(is_chosen_N[order_N])


def end_epoch(losses_2N: Tensor) -> None:
    """Let the next choice know the losses of the epoch that ends."""
    before_N, new_N = losses_2N
    before_N.copy_(torch.where(new_N > -NEVER, new_N, before_N))
    new_N.fill_(-NEVER)
