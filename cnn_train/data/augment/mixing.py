"""Mixup and cutmix: each image gets a part of the next one of its minibatch, and of its label.

The order of an epoch is random, so the next one is a random one; the last one's is the first.
Shape letters: N training images, B minibatch, C channels, H W pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Beta

from ...machine.device import copy_to
from ...random_streams import make_generator, seeded
from .rectangles import rectangles


@dataclass(frozen=True)
class Mixed:
    """What images hold of a second class. labels_B: int64; share_B: of the image, up to ½."""

    labels_B: Tensor
    share_B: Tensor


@dataclass(frozen=True)
class Mixing:
    """Mix each image with the next; with both, half of the images get the one, half the other.

    ``mixup`` (Zhang et al. 2017, arXiv:1710.09412): λ x + (1 − λ) x' of all pixels.
    ``cutmix`` (Yun et al. 2019, arXiv:1905.04899): a rectangle of x' in x, of the area 1 − λ, its
    middle anywhere; what lies outside does not count. λ ~ Beta(α, α); α 0: without it.
    """

    mixup: float
    cutmix: float

    def draw(self, shape_NCHW: Sequence[int], seed: int, epoch: int) -> Tensor:
        """Draw the share λ of mixup, and cutmix's top, left, height and width, 5N; else 1 and 0."""
        num, _, height, width = shape_NCHW
        share_N = torch.ones(num, dtype=torch.float64)
        box_4N = torch.zeros(4, num, dtype=torch.float64)
        if self.mixup:
            with seeded(seed, "mixup", epoch):
                share_N = draw_shares(self.mixup, num)
        if self.cutmix:
            with seeded(seed, "cutmix", epoch):
                sides_21 = torch.tensor([[height], [width]])
                half_2N = ((1 - draw_shares(self.cutmix, num)).sqrt() / 2 * sides_21).floor()
                middle_2N = (torch.rand(2, num) * sides_21).floor()
            first_2N = (middle_2N - half_2N).clamp(min=0)
            box_4N = torch.cat((first_2N, (middle_2N + half_2N).minimum(sides_21) - first_2N))
        if self.mixup and self.cutmix:
            generator = make_generator(seed, "mixup or cutmix", epoch)
            is_cut_N = torch.rand(num, generator=generator) < 0.5
            share_N, box_4N = torch.where(is_cut_N, 1, share_N), box_4N * is_cut_N
        return torch.cat((share_N[None], box_4N))

    def __call__(
        self, images_BCHW: Tensor, labels_B: Tensor, drawn_5B: Tensor
    ) -> tuple[Tensor, Tensor, Mixed]:
        """Mix every image but the last, which is there for the one before it, with the next.

        Returns the images, the labels of their larger parts, and what else they hold. The shares
        are those of the pixels, counted where a rectangle was cut.
        """
        share_B, *box_4B = copy_to(drawn_5B[:, :-1].float(), images_BCHW.device)
        images, others = images_BCHW[:-1], images_BCHW[1:]
        if self.mixup:
            images = torch.lerp(others, images, share_B.view(-1, 1, 1, 1))
        if self.cutmix:
            images = torch.where(rectangles(images, *box_4B), others, images)
            share_B = share_B * (1 - box_4B[2] * box_4B[3] / images[0, 0].numel())
        is_less_B = share_B < 0.5
        own_B, other_B = labels_B[:-1], labels_B[1:]
        labels_B = torch.where(is_less_B, other_B, own_B)
        mixed = Mixed(torch.where(is_less_B, own_B, other_B), torch.minimum(share_B, 1 - share_B))
        return images.contiguous(memory_format=torch.channels_last), labels_B, mixed


def draw_shares(alpha: float, num: int) -> Tensor:
    """Draw ``num`` numbers from Beta(α, α), in float64, from torch's global generator."""
    both = torch.tensor(alpha, dtype=torch.float64)
    shares_N: Tensor = Beta(both, both).sample((num,))
    return shares_N
