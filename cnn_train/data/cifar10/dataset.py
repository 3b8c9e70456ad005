"""CIFAR-10: 50,000 training and 10,000 test photographs of 32x32 pixels in ten classes.

Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
Shape letters: N examples, C channels, H W pixels, K classes.
"""

import os
from hashlib import sha256
from pathlib import Path
from shlex import quote
from typing import Literal, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ...errors import DataError
from ..dataset import DataAccess, DatasetConfig, KnownImages
from ..decoded_cache import Origin, load_or_decode
from ..download.download import download
from ..folder.dataset import FolderConfig
from ..folder.listing import find_splits
from ..image_set import ImageSet
from ..location import expand_home
from ..normalization import Normalization
from .batch_files import IMAGE_SHAPE
from .releases import CLASS_NAMES, RELEASES, Release, Split
from .source import Source, find_sources, names_of, source_at

# Over all pixels of the 50,000 training images; `Normalization.of` measures the same four digits.
PUBLISHED_NORMALIZATION = Normalization((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))


class CIFAR10Config(DatasetConfig):
    """The real CIFAR-10, downloaded once or read from a copy that is already here."""

    name: Literal["cifar10"] = Field(default="cifar10", description="the real CIFAR-10")
    path: Path | None = Field(
        default=None,
        strict=False,
        description=(
            "your own copy: cifar-10-python.tar.gz, cifar-10-binary.tar.gz or an unpacked "
            "directory; null: look in the data directory, else download (163 MiB)"
        ),
    )

    def located(self) -> Self:
        """Return these settings with an absolute ``path``."""
        path = expand_home(self.path, "data.path").absolute() if self.path else None
        return self.model_copy(update={"path": path})

    def moved_to(self, place: Path | None) -> DatasetConfig:
        """Return these settings with the images at ``place``: as released, or in class folders."""
        if place is None or not find_splits(place)[0]:
            return super().moved_to(place)
        return FolderConfig(root=place, **self.model_dump(exclude={"name", "path"}))

    def known_images(self) -> KnownImages:
        """Return CIFAR-10's ten classes and the usual constants."""
        return KnownImages(IMAGE_SHAPE, CLASS_NAMES, PUBLISHED_NORMALIZATION)

    def load_train(self, access: DataAccess) -> ImageSet:
        """Load the 50,000 training images; the test batch is neither needed nor read."""
        return load_split("train", self.path, access)

    def load_test(self, access: DataAccess, class_names: tuple[str, ...]) -> ImageSet:
        """Load the 10,000 test images, labelled by position in ``class_names``."""
        return load_split("test", self.path, access).relabel(class_names, "the test split")


def get_archive(access: DataAccess) -> Path:
    """Download CIFAR-10 into the data directory unless it is there and intact."""
    return download(RELEASES[0].archive, access)


def load_split(split: Split, path: Path | None, access: DataAccess) -> ImageSet:
    """Load one split from ``path``, else from the data directory, else from the network.

    Decoded pixels are kept in the data directory, stamped with the source's size and time, so
    that only the first start unpacks; ``access.verify`` reads and hashes the source again.
    """
    source = _find(split, path, access)
    key = sha256(os.fsencode(source.path.resolve())).hexdigest()[:12]  # one cache per source
    cache = access.data_dir / "decoded" / f"cifar10-{split}-{key}.bin"
    origin = Origin(source.stamp(split), place=str(source.path))
    known = KnownImages(IMAGE_SHAPE, CLASS_NAMES)
    return load_or_decode(cache, origin, known, lambda: _decode(split, source, access), access)


def _find(split: Split, path: Path | None, access: DataAccess) -> Source:
    if path is not None:
        return source_at(expand_home(path, "data.path"), split, RELEASES)
    for source in find_sources(access.data_dir, RELEASES):
        if source.has(split):
            return source
    if access.offline:
        raise DataError(
            f"CIFAR-10 is not in {access.data_dir} (looked for {names_of(RELEASES)}); run "
            f"`cnn-train data get --data-dir {quote(str(access.data_dir))}` while there is a "
            "network, or " + RELEASES[0].archive.manual_step(access.data_dir)
        )
    return Source(get_archive(access), RELEASES[0])


def _decode(split: Split, source: Source, access: DataAccess) -> ImageSet:
    """Decode every batch of the split into its place in the official order."""
    batches = source.release.batches(split)
    size = source.release.images_per_batch
    images_NCHW = torch.empty(len(batches) * size, *IMAGE_SHAPE, dtype=torch.uint8)
    labels_N = torch.empty(len(batches) * size, dtype=torch.int64)
    with access.progress(f"Reading CIFAR-10 ({split})", len(batches)) as advance:
        for batch, content in source.read(split):
            start = batches.index(batch) * size
            rows = slice(start, start + size)
            images_NCHW[rows], labels_N[rows] = _decode_batch(
                source.release, content, f"{source.path}: {batch.name}"
            )
            advance(1)
    names = tuple(f"{split}/{index:05}" for index in range(len(labels_N)))
    return ImageSet(images_NCHW, labels_N, CLASS_NAMES, names)


def _decode_batch(release: Release, content: bytes, where: str) -> tuple[Tensor, Tensor]:
    try:
        images, labels = release.decode(content)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error
    if not len(images) == len(labels) == release.images_per_batch:
        raise DataError(
            f"{where}: {len(images)} images and {len(labels)} labels, "
            f"expected {release.images_per_batch} of each"
        )
    if labels.max() >= len(CLASS_NAMES):
        raise DataError(f"{where}: label {labels.max()} is out of range 0 to 9")
    return torch.tensor(images), torch.tensor(labels.astype(np.int64))
