"""What training makes of an image: its pixels in the first epochs, to look at.

Shape letters: N images, B minibatch, C channels, H W pixels.
"""

from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .batches import Batch, TrainingBatches
from .image_set import ImageSet


@dataclass(frozen=True)
class View:
    """An image, uint8 at full size, and what is mixed into it, in words."""

    image_CHW: Tensor
    mixed: str = ""


def first_views(batches: TrainingBatches, num_epochs: int) -> tuple[ImageSet, list[str]]:
    """Return the first image of each class, followed by its views in the first epochs.

    The words say what is mixed into which. An image that an epoch leaves out is white there.
    """
    images = batches.images
    labels = images.labels_N.tolist()
    examples = [labels.index(label) for label in range(len(images.class_names))]
    epochs = [training_views(batches, examples, epoch) for epoch in range(num_epochs)]
    shown: list[View] = []
    for example in examples:
        itself = View(images.images_NCHW[example].cpu())
        left_out = View(torch.full_like(itself.image_CHW, 255), "left out")
        shown += [itself, *(views.get(example, left_out) for views in epochs)]
    rows_NCHW = torch.stack([view.image_CHW for view in shown])
    labels_N = torch.arange(len(examples)).repeat_interleave(1 + num_epochs)
    words = [view.mixed for view in shown]
    return ImageSet(rows_NCHW, labels_N, images.class_names, tuple(words)), words


def training_views(
    batches: TrainingBatches, examples: Collection[int], epoch: int
) -> dict[int, View]:
    """Return the view of each of ``examples`` that ``epoch`` trains on, from its minibatch there.

    Only the minibatches that hold one of them are made.
    """
    order, views = batches.order(epoch).tolist(), dict[int, View]()
    for position, piece in enumerate(batches.plan(epoch)):
        if set(examples).intersection(order[piece.start : piece.stop]):
            with closing(batches.epoch(epoch, position)) as rest:
                views |= dict(_views_of(next(rest), batches, examples))
    return views


def _views_of(
    batch: Batch, batches: TrainingBatches, examples: Collection[int]
) -> Iterator[tuple[int, View]]:
    assert batch.index_B is not None
    for row, example in enumerate(batch.index_B.tolist()):
        if example in examples:
            pixels_1CHW = batches.normalization.undo(batch.images_BCHW[row : row + 1])
            full_px = batches.images.image_shape[1:]  # a smaller view gets larger pixels
            image_CHW = F.interpolate(pixels_1CHW, full_px)[0]
            yield example, View(image_CHW, _what_is_mixed(batch, row, example, batches.images))


def _what_is_mixed(batch: Batch, row: int, example: int, images: ImageSet) -> str:
    """Name the class of the other image, and its share where it is another class."""
    if batch.mixed is None:
        return ""
    own, main = int(images.labels_N[example]), int(batch.labels_B[row])
    second, share = int(batch.mixed.labels_B[row]), float(batch.mixed.share_B[row])
    if own == main == second:
        return f"+ {images.class_names[own]}"
    other, share = (second, share) if own == main else (main, 1 - share)
    return f"{100 * share:.0f} % {images.class_names[other]}"
