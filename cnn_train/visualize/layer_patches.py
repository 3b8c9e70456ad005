"""The strongest patches of some channels of one layer: what page, document and picture share.

Shape letters: C channels, P places per channel.
"""

from dataclasses import dataclass

from .layers import Units
from .request import Request
from .top_patches import Places, Window, window_of

NUM_CHANNELS = 6


@dataclass(frozen=True)
class LayerPatches:
    """A layer's units, the strongest places of all channels, and the channels to show.

    ``are_named``: they are the user's choice.
    """

    units: Units
    places: Places
    shown: list[int]
    image_size: tuple[int, int]
    are_named: bool = False

    def num_worth_showing(self, channel: int) -> int:
        """Return how many of a channel's places excite it: behind a ReLU, zero is no excitement."""
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
        """Return the channels that no image excites; None where none can be dead."""
        return self.places.dead_channels() if self.units.can_be_dead else None

    def any_hangs_over(self) -> bool:
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
