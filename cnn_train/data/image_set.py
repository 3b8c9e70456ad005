"""A labelled set of images.

Shape letters: N examples, C channels, H W pixels.
"""

import hashlib
import unicodedata
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

import torch
from torch import Tensor

from ..errors import DataError, name_some
from ..machine.device import copy_to
from .content import hash_pixels
from .host_images import HostImages, Index, cut
from .images.square import FileFacts

Pixels = Tensor | HostImages


@dataclass(frozen=True)
class ImageSet:
    """Images and labels of one split.

    images_NCHW: uint8 in [0, 255], RGB. labels_N: int64 in [0, len(class_names)).
    names: what to call each example on screen (a file's path, or ``test/00017``).
    known_hashes_N: int64, where the pixels here are not those to recognise an image by.
    files: of the split's image files, all of them; None: there were none.
    """

    images_NCHW: Pixels
    labels_N: Tensor
    class_names: tuple[str, ...]
    names: tuple[str, ...]
    known_hashes_N: Tensor | None = None
    files: FileFacts | None = None

    def __post_init__(self) -> None:
        assert self.images_NCHW[:0].dtype == torch.uint8 and len(self.images_NCHW.shape) == 4
        assert self.labels_N.dtype == torch.int64 and self.labels_N.ndim == 1
        assert len(self.images_NCHW) == len(self.labels_N) == len(self.names)

    def __len__(self) -> int:
        return len(self.labels_N)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        channels, height, width = self.images_NCHW.shape[1:]
        return channels, height, width

    @cached_property
    def hashes_N(self) -> Tensor:  # noqa: N802  (shape letters)
        """What each image is recognised by (int64, on the CPU): equal images share it."""
        if self.known_hashes_N is not None:
            return self.known_hashes_N
        pieces = (piece.cpu().permute(0, 2, 3, 1).numpy() for piece in cut(self.images_NCHW))
        hashes = [hash_pixels(image) for piece in pieces for image in piece]
        return torch.tensor(hashes, dtype=torch.int64)

    def empty_classes(self) -> list[str]:
        """Name the classes that have no image."""
        present = set(self.labels_N.tolist())
        return [name for label, name in enumerate(self.class_names) if label not in present]

    def named_in(self, hashes_U: Tensor) -> list[str]:
        """Name the images whose hashes are among these."""
        return [self.names[i] for i in torch.isin(self.hashes_N, hashes_U).nonzero()[:, 0]]

    def select(self, indices: Sequence[int] | Tensor) -> "ImageSet":
        """Return the examples at ``indices``, in that order."""
        index_M = torch.as_tensor(indices, dtype=torch.int64)
        pixels = self.images_NCHW
        return ImageSet(
            replace(pixels, rows_N=pixels.rows_N[index_M])  # no copy
            if isinstance(pixels, HostImages)
            else pixels[index_M],
            self.labels_N[index_M],
            self.class_names,
            tuple(self.names[i] for i in index_M.tolist()),
            self.hashes_N[index_M],
            self.files,
        )

    def on_host(self, reason: str) -> "ImageSet":
        """Keep the pixels on the host, from where minibatches are copied, unless they are so."""
        pixels, every_N = self.images_NCHW, torch.arange(len(self))
        if not isinstance(pixels, HostImages):
            pixels = HostImages(pixels.cpu().contiguous(), every_N, reason)
        return replace(self, images_NCHW=pixels)

    @property
    def index_device(self) -> torch.device:
        """Where the indices of :meth:`gather` must lie: with the pixels."""
        on_host = isinstance(self.images_NCHW, HostImages)
        return torch.device("cpu") if on_host else self.labels_N.device

    def gather(self, indices: Iterable[Index]) -> Generator[tuple[Index, Tensor, Tensor]]:
        """Yield each index with its images and labels, all of them where the labels lie."""
        pixels, labels_N = self.images_NCHW, self.labels_N
        if not isinstance(pixels, HostImages):
            yield from ((index, pixels[index], labels_N[index]) for index in indices)
            return
        device = labels_N.device
        with closing(pixels.ahead(indices, pinned=device.type == "cuda")) as fetched:
            for index, images_BCHW in fetched:
                place = copy_to(index, device) if isinstance(index, Tensor) else index
                yield place, copy_to(images_BCHW, device), labels_N[place]

    def take(self, index_B: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images and labels of one minibatch, all of them where the labels lie."""
        with closing(self.gather([copy_to(index_B, self.index_device)])) as gathered:
            _, images_BCHW, labels_B = next(gathered)
        return images_BCHW, labels_B

    def relabel(self, class_names: tuple[str, ...], source: str) -> "ImageSet":
        """Number the labels by position in ``class_names``, a trained model's classes.

        Names are equal however their accents are encoded. Raises DataError, which begins with
        ``source``, where ``class_names`` lacks a class.
        """
        positions = {same_spelling(name): i for i, name in enumerate(class_names)}
        unknown = [name for name in self.class_names if same_spelling(name) not in positions]
        if unknown:
            raise DataError(
                f"{source} has classes that training lacks: {name_some(unknown)}; "
                f"training has {name_some(class_names)}"
            )
        position_K = torch.tensor([positions[same_spelling(name)] for name in self.class_names])
        return replace(self, labels_N=position_K[self.labels_N], class_names=class_names)

    def fingerprint(self) -> str:
        """Return the SHA-256 of pixels, labels and class names as 64 hex digits."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        digest = hashlib.sha256(repr((self.class_names, self.image_shape)).encode())
        for tensor in chain(cut(self.images_NCHW), [self.labels_N]):
            digest.update(tensor.cpu().contiguous().numpy().data)
        return digest.hexdigest()


def spread_evenly(num_images: int, most: int) -> Tensor:
    """Return the indices of ``most`` images at even distances: sets are often sorted by class."""
    number = min(num_images, most)
    return torch.arange(number) * num_images // max(number, 1)


def same_spelling(name: str) -> str:
    """Write accents as Unicode's composed letters (NFC): some file systems decompose them."""
    return unicodedata.normalize("NFC", name)
