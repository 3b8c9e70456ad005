"""Which classes an epoch shows how often: as in the training images, or all equally often.

Shape letters: N examples, K classes, C examples of one class.
"""

from typing import Literal

import torch
from torch import Tensor

from ..random_streams import make_generator
from .image_set import ImageSet

Sampling = Literal["natural", "balanced"]

IMBALANCED = 3
"""How many times the smallest class the largest one may be until ``fit`` warns."""


def balance(order_N: Tensor, epoch: int, *, labels_N: Tensor, seed: int) -> Tensor:
    """Return an order of as many examples that shows every class equally often, give or take one.

    ``order_N`` is a random order of all examples. A class that is too large gives its first ones,
    a class that is too small all of them in turn, so that each comes up equally often, give or
    take one. A function of the order, the seed and the epoch.
    """
    generator = make_generator(seed, "balanced sampling", epoch)
    labels_N = labels_N[order_N]
    counts = torch.unique(labels_N, return_counts=True)[1].tolist()
    by_class = torch.split(order_N[labels_N.argsort(stable=True)], counts)
    ranks = torch.randperm(len(counts), generator=generator).tolist()
    quota, rest = divmod(len(order_N), len(counts))
    picked = [
        own_C[torch.arange(quota + (rank < rest)) % len(own_C)]
        for rank, own_C in zip(ranks, by_class, strict=True)
    ]
    return torch.cat(picked)[torch.randperm(len(order_N), generator=generator)]


def places_of_changes(order_N: Tensor, num_images: int) -> Tensor:
    """Return, for each place of an epoch's order, whose random changes the image there gets.

    Its own where it comes up first; where it is repeated, those of an image that the epoch leaves
    out: no two are changed alike. An order without repetition is returned as it is.
    """
    sorted_N, place_N = order_N.sort(stable=True)
    repeats_N = torch.zeros(len(order_N), dtype=torch.bool)
    repeats_N.scatter_(0, place_N[1:], sorted_N[1:] == sorted_N[:-1])
    if not repeats_N.any():
        return order_N
    is_left_out = torch.bincount(order_N, minlength=num_images) == 0
    return order_N.masked_scatter(repeats_N, is_left_out.nonzero()[:, 0])


def count_classes(images: ImageSet) -> Tensor:
    """Count the images of each class (K, int64, on the CPU)."""
    return torch.bincount(images.labels_N.cpu(), minlength=len(images.class_names))


def describe_imbalance(images: ImageSet) -> str | None:
    """Say what very unequal classes do to training and what helps; None where they are alike."""
    counts = count_classes(images).tolist()
    most, fewest = max(counts), min(counts)
    if most < IMBALANCED * fewest:
        return None
    largest, smallest = (images.class_names[counts.index(count)] for count in (most, fewest))
    return (
        f"{largest} has {most:,} of {len(images):,} training images, {smallest} has {fewest:,}: "
        f"always to answer {largest} is right for {100 * most / len(images):.1f} % of such images; "
        "loss.weights: balanced or data.sampling: balanced lets all classes count alike, best_by: "
        "balanced_accuracy chooses the epoch so"
    )
