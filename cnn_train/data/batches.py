"""Minibatches cut from images that lie on the device, or come from the host; no processes.

The order of an epoch and its augmentation are functions of (seed, epoch), drawn and copied to the
device once, so a run can stop between any two minibatches and go on from one integer; a choice by
losses needs these too.
Shape letters: N examples, B minibatch, C channels, H W pixels.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import torch
from torch import Tensor

from ..machine.device import copy_to
from ..machine.processes import ALONE, World
from ..random_streams import make_generator
from .augment.augmentation import Augmentation
from .augment.mixing import Mixed
from .image_set import ImageSet
from .normalization import Normalization
from .progressive_size import shrink, shrunk_size
from .sampling import places_of_changes


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
    times its part's weight where several processes share the minibatch. index_B: images' places.
    mixed: what the images hold of a second class; labels_B is that of their larger part.
    """

    images_BCHW: Tensor
    labels_B: Tensor
    share: float = 1.0
    completes_update: bool = True
    index_B: Tensor | None = None
    mixed: Mixed | None = None


def plan_epoch(
    num_examples: int,
    batch_size: int,
    *,
    accumulate: int = 1,
    full_batch: bool = False,
    limit: int | None = None,
) -> tuple[Slice, ...]:
    """Cut an epoch into minibatches that hold every example once; the last may be smaller.

    A remainder of a single example joins the minibatch before it, because batch statistics of one
    example say nothing. ``accumulate`` minibatches make one update, the last one of those that are
    left; ``full_batch``: all of the epoch. ``limit`` keeps only that many minibatches, the first.
    """
    starts = list(range(0, num_examples, batch_size))
    if batch_size > 1 and len(starts) > 1 and num_examples - starts[-1] == 1:
        starts.pop()
    bounds = list(zip(starts, [*starts[1:], num_examples], strict=True))[:limit]
    size = len(bounds) if full_batch else accumulate
    groups = [bounds[first : first + size] for first in range(0, len(bounds), size)]
    return tuple(
        Slice(start, stop, (stop - start) / (group[-1][1] - group[0][0]), stop == group[-1][1])
        for group in groups
        for start, stop in group
    )


@dataclass(frozen=True)
class TrainingBatches:
    """The minibatches of any epoch, from any position: shuffled, augmented, normalised."""

    images: ImageSet
    normalization: Normalization
    augment: Augmentation
    seed: int
    plan: Callable[[int], tuple[Slice, ...]]
    """The minibatches of an epoch; they need not be as many in each."""
    side_px: Callable[[int, float], int] | None = None
    """The side of the images by epoch and the part of it that is done; None: full size."""
    world: World = ALONE
    """The processes that share every minibatch; ``plan`` describes the whole minibatch."""
    choose: Callable[[Tensor, int], Tensor] = lambda order_N, epoch: order_N
    """What an epoch trains on of its order; a choice by loss is that of the epoch under way."""

    def image_shape(self, epoch: int, position: int = 0) -> tuple[int, int, int]:
        """Return (C, H, W) of the images of a minibatch as the network sees them."""
        channels, height, width = self.images.image_shape
        if self.side_px is None:
            return channels, height, width
        side_px = self.side_px(epoch, position / len(self.plan(epoch)))
        return channels, *shrunk_size(height, width, side_px)

    def order(self, epoch: int) -> Tensor:
        """Return the order (int64) in which ``epoch`` takes its examples: all N, or a share."""
        generator = make_generator(self.seed, "order", epoch)
        return self.choose(torch.randperm(len(self.images), generator=generator), epoch)

    def examples_of(self, epoch: int, position: int, number: int = 1) -> list[int]:
        """Return the examples of some minibatches; none where the epoch has no such positions."""
        pieces = self.plan(epoch)[max(position, 0) : max(position + number, 0)]
        if not pieces:
            return []
        indices: list[int] = self.order(epoch)[pieces[0].start : pieces[-1].stop].tolist()
        return indices

    def epoch(self, epoch: int, first: int = 0) -> Generator[Batch]:
        """Yield the minibatches of ``epoch`` (0-based) from position ``first`` on."""
        order_N, plan = self.order(epoch), self.plan(epoch)
        source_N = places_of_changes(order_N, len(self.images))
        shape_NCHW, device = self.images.images_NCHW.shape, self.images.labels_N.device
        changes_7N = copy_to(self.augment.draw(shape_NCHW, self.seed, epoch), device)
        drawn = self.augment.draw_changes(shape_NCHW, self.seed, epoch)
        mixing = self.augment.mixing
        mixes_5N = mixing.draw(shape_NCHW, self.seed, epoch) if mixing else torch.empty(0)
        indices = self._places(copy_to(order_N, self.images.index_device), plan[first:])
        sources = self._places(copy_to(source_N, device), plan[first:])
        places = self._places(source_N, plan[first:])  # the same, on the CPU
        with closing(self.images.gather(indices)) as gathered:
            for position, (index_B, chosen_BCHW, labels_B) in enumerate(gathered, start=first):
                changes_7B, place_B = changes_7N[:, next(sources)], next(places)
                images_BCHW = self.augment(
                    chosen_BCHW,
                    changes_7B,
                    self.normalization.mean_level,
                    [drawn_kN[:, place_B] for drawn_kN in drawn],
                )
                inputs_BCHW = self.normalization(images_BCHW, self.augment.light(changes_7B))
                mixed = None
                if mixing:
                    mixes_5B = mixes_5N[:, place_B]
                    inputs_BCHW, labels_B, mixed = mixing(inputs_BCHW, labels_B, mixes_5B)
                if self.side_px:
                    inputs_BCHW = shrink(inputs_BCHW, self.side_px(epoch, position / len(plan)))
                piece = plan[position]
                share = piece.share * self.world.part(piece.stop - piece.start).weight
                index_B, done = index_B[: len(labels_B)], piece.completes_update
                yield Batch(inputs_BCHW, labels_B, share, done, index_B, mixed)

    def _places(self, order_N: Tensor, pieces: Sequence[Slice]) -> Iterator[Tensor]:
        """Yield this process's part of each minibatch; to mix them, one image more: the next."""
        for piece in pieces:
            whole_B = order_N[piece.start : piece.stop]
            part = self.world.part(len(whole_B))
            own_B = whole_B[part.start : part.stop]
            after = part.stop % len(whole_B)
            yield torch.cat((own_B, whole_B[after : after + 1])) if self.augment.mixing else own_B


def evaluation_batch_size(image_shape: tuple[int, int, int]) -> int:
    """Return how many images to score at once: as many as have the pixels of 500 CIFAR images."""
    return max(1, 500 * 32 * 32 // (image_shape[1] * image_shape[2]))


def evaluation_batches(
    images: ImageSet, normalization: Normalization, batch_size: int, world: World = ALONE
) -> Generator[Batch]:
    """Yield every example once, in order, without augmentation; of ``world``, each n-th batch."""
    starts = range(batch_size * world.rank, len(images), batch_size * world.size)
    pieces = (slice(start, start + batch_size) for start in starts)
    with closing(images.gather(pieces)) as gathered:
        for _, images_BCHW, labels_B in gathered:
            yield Batch(normalization(images_BCHW), labels_B)
