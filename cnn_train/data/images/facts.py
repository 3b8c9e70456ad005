"""What the image files of a split were like before they became squares of one size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import fmean, median

LONG = Fraction(4, 3)  # cameras' usual shape: a central square loses a quarter of it
MUCH_LARGER = 4  # where a pixel of the network stands for so many of the file's in a row


@dataclass(frozen=True)
class FileFacts:
    """What is known of the files of a split.

    sizes: the smallest and the largest, by area, like ``640×480 … 1200×900``. median_side_px: of
    their shorter sides. num_long: those of 4:3 or longer; share_cut: how much of these lies outside
    the central square, on average. grey_bits: what wide grey values were taken to fill.
    """

    number: int
    sizes: str
    median_side_px: float
    num_long: int
    share_cut: float
    grey_bits: int | None

    @classmethod
    def of(cls, sizes_px: Sequence[tuple[int, int]], grey_bits: int | None) -> "FileFacts":
        """Sum up files by their (width, height), set upright."""
        extremes = (choose(sizes_px, key=lambda size: size[0] * size[1]) for choose in (min, max))
        sides = [sorted(size) for size in sizes_px]
        cuts = [1 - short / long for short, long in sides if long >= LONG * short]
        return cls(
            number=len(sizes_px),
            sizes=" … ".join(dict.fromkeys(f"{width}×{height}" for width, height in extremes)),
            median_side_px=median(short for short, _ in sides),
            num_long=len(cuts),
            share_cut=fmean(cuts) if cuts else 0.0,
            grey_bits=grey_bits,
        )

    def doubts(self, size_px: int, fit: str, largest_px: int) -> Iterator[str]:
        """Yield what images of ``size_px`` lose, and which settings of ``data`` keep it."""
        if self.median_side_px >= MUCH_LARGER * size_px and size_px < largest_px:
            better = min(2 * size_px, largest_px)
            yield (
                f"the files are {self.sizes}, the network sees {size_px}×{size_px}; "
                f"--set data.image_size={better} shows it more, for about "
                f"{(better / size_px) ** 2:.1g} times the work"
            )
        if fit == "crop" and self.num_long:
            yield (
                f"{self.num_long:,} of {self.number:,} files are 4:3 or longer, and crop cuts off "
                f"{100 * self.share_cut:.0f} % of these; --set data.fit=pad (or squash) keeps it"
            )
