"""The same image twice: within a split, in two splits, under two classes, or once trained on.

Shape letters: N examples of one split, U different images, B bits.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ..errors import name_some
from .content import UNKNOWN_IMAGES
from .image_set import ImageSet

NUM_NAMED = 3


@dataclass(frozen=True)
class Twins:
    """Images of the second split that the first has too; both may be the same split.

    near_bits: how many bits of their dHashes may differ; None: the pixels are equal. pairs: names
    in the first and in the second, those of two classes (relabelled) in front.
    """

    splits: tuple[str, str]
    near_bits: int | None
    num_examples: int
    num_relabelled: int
    pairs: list[tuple[str, str]]

    def __str__(self) -> str:
        first, second = self.splits
        sign, nearly = ("=", "") if self.near_bits is None else ("≈", "nearly ")
        where = f"twice in {first}" if first == second else f"in {first} too"
        classes = f", {self.num_relabelled:,} under another class" if self.num_relabelled else ""
        names = name_some([f"{b} {sign} {a}" for a, b in self.pairs], NUM_NAMED)
        count = f"{len(self.pairs):,} of {self.num_examples:,} {second} images"
        return f"{count} are {nearly}{where}{classes} ({names})"


def find_twins(splits: Mapping[str, ImageSet], near_bits: int | None = None) -> Iterator[Twins]:
    """Find equal images, within each split and between any two; with ``near_bits`` also similar."""
    for names in combinations_with_replacement(splits, 2):
        first, second = (splits[name] for name in names)
        for bits in dict.fromkeys((None, near_bits)):
            found = _equal(first, second) if bits is None else _near(first, second, bits)
            classes = [
                [one.class_names[k] for k in one.labels_N.tolist()] for one in (first, second)
            ]
            same = [classes[0][i] == classes[1][j] for i, j in found]
            pairs = [(first.names[i], second.names[j]) for i, j in found]
            if pairs:
                pairs.sort(key=dict(zip(pairs, same, strict=True)).__getitem__)
                yield Twins(names, bits, len(second), same.count(False), pairs)


def _equal(first: ImageSet, second: ImageSet) -> list[tuple[int, int]]:
    """Return (i, j): image j of ``second`` has the pixels that image i of ``first`` has first."""
    place: dict[int, int] = {}
    for i, content in enumerate(first.hashes_N.tolist()):
        place.setdefault(content, i)
    pairs = [(place.get(content), j) for j, content in enumerate(second.hashes_N.tolist())]
    return [(i, j) for i, j in pairs if i is not None and (first is not second or i < j)]


def _near(first: ImageSet, second: ImageSet, most_bits: int) -> list[tuple[int, int]]:
    """Return (i, j): image i of ``first`` is the nearest to image j; equal images are left out."""
    signs_NB, pairs = _dhash(first), []
    for j, signs_B in enumerate(_dhash(second)):
        bits_N = (len(signs_B) - signs_NB @ signs_B) / 2
        bits_N[first.hashes_N == second.hashes_N[j]] = torch.inf
        bits_N = bits_N[:j] if first is second else bits_N
        if len(bits_N) and bits_N.min() <= most_bits:
            pairs.append((int(bits_N.argmin()), j))
    return pairs


def _dhash(images: ImageSet) -> Tensor:
    """Return each image's dHash, NB: +1 where a cell of 8 × 9 is darker than its right one, or −1.

    Scaling, compression and other light change few of its bits. Krawetz, Kind of Like That, 2013.
    """
    parts = images.images_NCHW.split(256)  # as float32, all at once would need 4 times more
    cells = [adaptive_avg_pool2d(part.float().mean(dim=1), (8, 9)) for part in parts]
    return torch.cat(cells).diff(dim=2).gt(0).flatten(1) * 2.0 - 1


def describe_seen(images: ImageSet, seen_U: Tensor, split: str) -> Iterator[str]:
    """Yield how many images a network was trained on (their hashes), and whether that is known."""
    if names := images.named_in(seen_U):
        yield (
            f"{len(names):,} of {len(images):,} {split} images were trained on "
            f"({name_some(names, NUM_NAMED)}): their accuracy says too much; use others"
        )
    if UNKNOWN_IMAGES in seen_U:
        yield f"which images the weights were trained on is not known; {split} images may be some"
