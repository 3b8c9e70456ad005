"""Minibatches cut from images that lie on the device, or come from the host; no processes.

The order of an epoch and its augmentation are functions of (seed, epoch, position), so a run can
stop between any two minibatches and go on from one integer.
Shape letters: N examples, B minibatch, C channels, H W pixels.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor

from ..machine.processes import ALONE, World
from ..random_streams import derive_seed, make_generator
from .augment import Augmentation
from .image_set import ImageSet
from .normalization import Normalization
from .progressive_size import shrink, shrunk_size


@dataclass(frozen=True)
class Slice:
    """The positions of one minibatch in an epoch's order, and its part in an update."""

    start: int
    stop: int
    share: float
    completes_update: bool


@dataclass(frozen=True)
class Batch:
    """One minibatch, ready for the network.

    images_BCHW: float32, normalised, channels_last. labels_B: int64.
    share: the fraction of its update's examples that it holds (1 unless gradients accumulate),
    times its part's weight where several processes share the minibatch.
    """

    images_BCHW: Tensor
    labels_B: Tensor
    share: float = 1.0
    completes_update: bool = True


def plan_epoch(
    num_examples: int, batch_size: int, *, full_batch: bool = False, limit: int | None = None
) -> tuple[Slice, ...]:
    """Cut an epoch into minibatches that hold every example once; the last may be smaller.

    A remainder of a single example joins the minibatch before it, because batch statistics of one
    example say nothing. ``full_batch`` makes the whole epoch one update, accumulated in pieces of
    ``batch_size``. ``limit`` keeps only that many minibatches, the first.
    """
    starts = list(range(0, num_examples, batch_size))
    if batch_size > 1 and len(starts) > 1 and num_examples - starts[-1] == 1:
        starts.pop()
    bounds = list(zip(starts, [*starts[1:], num_examples], strict=True))[:limit]
    total = bounds[-1][1]
    if not full_batch:
        return tuple(Slice(start, stop, 1.0, True) for start, stop in bounds)
    return tuple(
        Slice(start, stop, (stop - start) / total, stop == total) for start, stop in bounds
    )


@dataclass(frozen=True)
class TrainingBatches:
    """The minibatches of any epoch, from any position: shuffled, augmented, normalised."""

    images: ImageSet
    normalization: Normalization
    augment: Augmentation
    seed: int
    plan: tuple[Slice, ...]
    side_px: Callable[[int], int] | None = None
    """The side of an epoch's images; None: full size."""
    world: World = ALONE
    """The processes that share every minibatch; ``plan`` describes the whole minibatch."""

    def image_shape(self, epoch: int) -> tuple[int, int, int]:
        """Return (C, H, W) of the images that the network sees in ``epoch``."""
        channels, height, width = self.images.image_shape
        if self.side_px is None:
            return channels, height, width
        return channels, *shrunk_size(height, width, self.side_px(epoch))

    def order(self, epoch: int) -> Tensor:
        """Return the order N (int64) in which ``epoch`` takes the examples."""
        generator = make_generator(self.seed, "order", epoch)
        return torch.randperm(len(self.images), generator=generator)

    def examples_of(self, epoch: int, position: int) -> list[int]:
        """Return the examples of one minibatch; none where the epoch has no such position."""
        if not 0 <= position < len(self.plan):
            return []
        piece = self.plan[position]
        indices: list[int] = self.order(epoch)[piece.start : piece.stop].tolist()
        return indices

    def epoch(self, epoch: int, first: int = 0) -> Generator[Batch]:
        """Yield the minibatches of ``epoch`` (0-based) from position ``first`` on."""
        order_N = self.order(epoch)
        pieces = self.plan[first:]
        parts = [self.world.part(piece.stop - piece.start) for piece in pieces]
        indices = (
            order_N[piece.start : piece.stop][part.start : part.stop]
            for piece, part in zip(pieces, parts, strict=True)
        )
        gathered = zip(count(first), pieces, parts, self.images.gather(indices), strict=False)
        for position, piece, part, (index_B, chosen_BCHW, labels_B) in gathered:
            images_BCHW = self.augment(
                chosen_BCHW,
                generator=make_generator(self.seed, "augment", epoch, position),
                index_B=index_B,
                epoch=epoch,
                flip_seed=derive_seed(self.seed, "alternating flip"),
                fill=self.normalization.mean_level,
                part=part,
            )
            inputs_BCHW = self.normalization(images_BCHW)
            if self.side_px:
                inputs_BCHW = shrink(inputs_BCHW, self.side_px(epoch))
            yield Batch(inputs_BCHW, labels_B, piece.share * part.weight, piece.completes_update)


def evaluation_batch_size(image_shape: tuple[int, int, int]) -> int:
    """Return how many images to score at once: as many as have the pixels of 500 CIFAR images."""
    return max(1, 500 * 32 * 32 // (image_shape[1] * image_shape[2]))


def evaluation_batches(
    images: ImageSet, normalization: Normalization, batch_size: int
) -> Iterator[Batch]:
    """Yield every example once, in order, without augmentation."""
    pieces = (slice(start, start + batch_size) for start in range(0, len(images), batch_size))
    for _, images_BCHW, labels_B in images.gather(pieces):
        yield Batch(normalization(images_BCHW), labels_B)
