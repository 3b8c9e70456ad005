"""For each channel, the places in a set of images that excite it most.

Of each image only the place where the channel is strongest counts. So nine patches come from nine
images, and not from nine neighbouring places of the same image.

Shape letters: N images, B minibatch, C channels, P places per channel, H W pixels or units.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..models.receptive_field import ReceptiveField
from .layers import Units, unit_maps
from .request import Request

NUM_CHANNELS, NUM_PLACES = 6, 9


@dataclass(frozen=True)
class Places:
    """The strongest places of every channel of a layer, strongest first, on the CPU.

    values_CP: activations. image_CP, row_CP, column_CP: which unit of which image. num_active_C:
    on how many of the ``num_images`` images the channel is positive anywhere.
    """

    values_CP: Tensor
    image_CP: Tensor
    row_CP: Tensor
    column_CP: Tensor
    num_active_C: Tensor
    num_images: int


@torch.no_grad()
def find_places(
    model: nn.Module, units: Sequence[Units], batches_BCHW: Iterable[Tensor]
) -> Mapping[str, Places]:
    """Return by layer the NUM_PLACES strongest places of each channel in all batches.

    Keeps one minibatch's maps and the best places so far, however many images there are. Of equal
    activations the earlier image and the place nearer to the top left win.
    """
    best: dict[str, Places] = {}
    for inputs_BCHW in batches_BCHW:
        for layer, maps_BCHW in unit_maps(model, units, inputs_BCHW).items():
            best[layer] = _keep_best(best.get(layer), maps_BCHW)
    return best


def _keep_best(best: Places | None, maps_BCHW: Tensor) -> Places:
    width, first = maps_BCHW.shape[3], best.num_images if best else 0
    strongest = maps_BCHW.contiguous().flatten(2).max(dim=2)
    values_CB, place_CB = strongest.values.T.cpu(), strongest.indices.T.cpu()
    image_CB = torch.arange(first, first + len(maps_BCHW)).expand_as(place_CB)
    candidates = [values_CB, image_CB, place_CB // width, place_CB % width]
    num_active_C = (values_CB > 0).sum(dim=1)
    if best:
        kept = (best.values_CP, best.image_CP, best.row_CP, best.column_CP)
        candidates = [torch.cat(pair, dim=1) for pair in zip(kept, candidates, strict=True)]
        num_active_C = num_active_C + best.num_active_C
    order_CP = candidates[0].argsort(dim=1, descending=True, stable=True)[:, :NUM_PLACES]
    values_CP, image_CP, row_CP, column_CP = (part.gather(1, order_CP) for part in candidates)
    return Places(values_CP, image_CP, row_CP, column_CP, num_active_C, first + len(maps_BCHW))


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels; it may reach beyond the image's border."""

    top: int
    left: int
    height: int
    width: int


def window_of(field: ReceptiveField, row: int, column: int, image_size: tuple[int, int]) -> Window:
    """Return the pixels that a unit sees: its receptive field, at most the whole image.

    Along an axis on which the field is at least as long as the image, the image is the window.
    """
    starts, lengths = [], []
    for axis, position in enumerate((row, column)):
        is_whole = not field.axes or field.size_px[axis] >= image_size[axis]
        starts.append(0 if is_whole else field.start_px[axis] + position * field.jump_px[axis])
        lengths.append(image_size[axis] if is_whole else field.size_px[axis])
    return Window(starts[0], starts[1], lengths[0], lengths[1])


def crop(image_CHW: Tensor, window: Window, *, outside: int) -> Tensor:
    """Cut the window out of an image; what lies outside the image has the value ``outside``."""
    channels, height, width = image_CHW.shape
    patch_CHW = image_CHW.new_full((channels, window.height, window.width), outside)
    top, left = max(window.top, 0), max(window.left, 0)
    bottom = min(window.top + window.height, height)
    right = min(window.left + window.width, width)
    rows = slice(top - window.top, bottom - window.top)
    columns = slice(left - window.left, right - window.left)
    patch_CHW[:, rows, columns] = image_CHW[:, top:bottom, left:right]
    return patch_CHW


@dataclass(frozen=True)
class LayerPatches:
    """A layer's units, the strongest places of all channels, and the channels to show."""

    units: Units
    places: Places
    shown: list[int]
    image_size: tuple[int, int]

    def num_worth_showing(self, channel: int) -> int:
        """Return how many of a channel's places to show: after a ReLU, those above zero."""
        values_P = self.places.values_CP[channel]
        return int((values_P > 0).sum()) if self.units.can_be_dead else len(values_P)

    def windows(self, channel: int) -> list[Window]:
        """Return what the units at those places see, strongest first."""
        rows_P, columns_P = self.places.row_CP[channel], self.places.column_CP[channel]
        return [
            window_of(self.units.field, row, column, self.image_size)
            for row, column in zip(rows_P.tolist(), columns_P.tolist(), strict=True)
        ][: self.num_worth_showing(channel)]

    def dead_channels(self) -> list[int] | None:
        """Return the channels that are positive on no image; None if the layer is no ReLU."""
        dead: list[int] = (self.places.num_active_C == 0).nonzero().flatten().tolist()
        return dead if self.units.can_be_dead else None

    def any_beyond_border(self) -> bool:
        """Say whether any patch to show reaches beyond its image's border."""
        height, width = self.image_size
        return any(
            min(window.top, window.left) < 0
            or window.top + window.height > height
            or window.left + window.width > width
            for channel in self.shown
            for window in self.windows(channel)
        )

    def heading(self) -> str:
        """Name the layer, its size and what a unit of it sees."""
        (height, width), field = self.units.map_size, self.units.field
        of_units = f" of {width} × {height} units" if field.axes else ""
        seen = f"{field.size_px[1]} × {field.size_px[0]} px" if field.axes else "the whole image"
        size = f"{self.units.num_channels:,} channels{of_units}"
        return f"{self.units.description}: {size}; a unit sees {seen}"


def choose_channels(request: Request, places: Places) -> list[int]:
    """Return the channels that were named, or the strongest ones that differ in their images.

    A channel that has more than a third of its images in common with a stronger one comes after
    all others: they would look the same.
    """
    order = request.rank_channels(places.values_CP[:, 0])
    if request.channels:
        return order
    images = [set(images_P) for images_P in places.image_CP.tolist()]
    distinct: list[int] = []
    for channel in order:
        common = (len(images[channel] & images[other]) for other in distinct)
        if all(3 * number <= len(images[channel]) for number in common):
            distinct.append(channel)
    rest = [channel for channel in order if channel not in distinct]
    return (distinct + rest)[: request.num_channels or NUM_CHANNELS]
