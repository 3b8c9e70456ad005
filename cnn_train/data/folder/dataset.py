"""Your own images: one folder per class below ``train``, and optionally ``val`` and ``test``.

Shape letters: N examples, K classes.
"""

import os
from contextlib import closing
from dataclasses import replace
from functools import partial
from hashlib import sha256
from math import prod
from pathlib import Path
from tempfile import TemporaryFile
from typing import Literal, Self

import numpy as np
import PIL
import torch
from pydantic import Field
from torch import Tensor

from ...errors import MAX_NAMED, DataError, ResourceError, in_one_line, name_some
from ...machine.cores import count_workers
from ...machine.free_memory import free_memory, weigh
from ..dataset import DataAccess, DatasetConfig, KnownImages
from ..decoded_cache import Origin, load_or_decode
from ..image_set import ImageSet
from ..images.decoding import FILES_PER_TASK, DecodedFile, decode_batches
from ..images.modes import TAKEN_AS
from ..images.square import LARGEST_SIZE_PX, FileFacts, Fit, Reading
from ..location import expand_home
from .listing import SplitListing, find_splits, list_split

MOST_IN_MEMORY = 0.8
"""Share of the free memory that decoded images may take where they cannot be in a file."""

DECODER_VERSION = 3  # raise it when the same file comes to mean other pixels


class FolderConfig(DatasetConfig):
    """Images in ``root/train/<class>/``, and optionally ``root/val`` and ``root/test`` alike."""

    name: Literal["folder"] = Field(default="folder", description="your own images, by folder")
    root: Path = Field(
        strict=False,
        description="folder with train/<class>/<image>, and optionally val (or valid, validation) "
        "and test alike; ~ is your home, a relative path starts at the current directory",
    )
    image_size: int = Field(
        default=32,
        ge=4,
        le=LARGEST_SIZE_PX,
        description="side in pixels of the square that each image is scaled to",
    )
    fit: Fit = Field(
        default="crop",
        description="how an image becomes square: crop (its central square), pad (all of it, with "
        "grey bars) or squash (all of it, distorted)",
    )
    grey_bits: Literal[8, 10, 12, 14, 16] | None = Field(
        default=None,
        description="bits that the values of 16-bit grey files fill; null: the fewest of 8, 10, "
        "12, 14 and 16 that hold those of all training images",
    )

    def located(self) -> Self:
        """Return these settings with an absolute ``root``."""
        return self.model_copy(update={"root": expand_home(self.root, "data.root").absolute()})

    def reading(self, size_px: int) -> Reading:
        """Return how image files become such images, ``size_px`` × ``size_px``."""
        return Reading(size_px, self.fit, self.grey_bits)

    def as_read(self, train: ImageSet) -> Self:
        """Return these settings with the bits that the training files' values fill."""
        bits = self.grey_bits or (train.files and train.files.grey_bits)
        return self.model_copy(update={"grey_bits": bits})

    def known_images(self) -> KnownImages:
        """Return the images' size, and the classes where the folder is on this machine.

        Raises DataError where it is here but is no such dataset.
        """
        root = expand_home(self.root, "data.root")
        class_names = list_split(root, "train").class_names if self.has_split("train") else None
        return KnownImages((3, self.image_size, self.image_size), class_names)

    def load_train(self, access: DataAccess) -> ImageSet:
        """Load ``root/train``; the test images are neither needed nor looked at."""
        root = expand_home(self.root, "data.root")
        others = find_splits(root)[1]
        if others:
            access.notice(f"{root}: folders not used: {name_some([f'{name}/' for name in others])}")
        return load_split(root, "train", self.reading(self.image_size), access, self.resident)

    def load_val(self, access: DataAccess, class_names: tuple[str, ...]) -> ImageSet | None:
        """Load ``root/val``; None where there is none."""
        return self._load("val", access, class_names) if self.has_split("val") else None

    def load_test(self, access: DataAccess, class_names: tuple[str, ...]) -> ImageSet:
        """Load ``root/test``, labelled by position in ``class_names``."""
        return self._load("test", access, class_names)

    def has_split(self, split: str) -> bool:
        """Tell whether there is a folder of the split, without opening it."""
        return split in find_splits(expand_home(self.root, "data.root"))[0]

    def _load(self, split: str, access: DataAccess, class_names: tuple[str, ...]) -> ImageSet:
        """Load a split, number its labels by ``class_names``, and say which classes are absent."""
        root = expand_home(self.root, "data.root")
        images = load_split(root, split, self.reading(self.image_size), access, self.resident)
        images = images.relabel(class_names, split)
        if absent := images.empty_classes():
            access.notice(f"{split} has no images of {name_some(absent)}")
        return images


def load_split(
    root: Path, split: str, reading: Reading, access: DataAccess, resident: str = "auto"
) -> ImageSet:
    """Load one split, decoded now or at an earlier start.

    The decoded pixels are kept in the data directory and hold for files of the same names, sizes
    and times; ``access.verify`` decodes again. ``resident`` may map them. Raises DataError for
    whatever is no image, or with ``access.verify`` is not the image that it was.
    """
    listing = list_split(root, split)
    if listing.ignored:
        access.notice(f"{root}: ignored {name_some(listing.ignored)}")
    # One cache per split, size and fit: a changed data set replaces its old one.
    key = sha256(os.fsencode(root.resolve() / split)).hexdigest()[:16]
    fit = "" if reading.fit == "crop" else f"-{reading.fit}"
    cache = access.data_dir / "folder-cache" / f"{split}-{reading.size_px}px{fit}-{key}.bin"
    decoder = f"folder {DECODER_VERSION}, Pillow {PIL.__version__}"
    origin = Origin(listing.stamp, decoder, reading.grey_bits, str(root.resolve()))
    known = KnownImages((3, reading.size_px, reading.size_px), listing.class_names)
    num_bytes = len(listing.names) * prod(known.image_shape)
    fits, reason = weigh(num_bytes, torch.device("cpu"), resident)
    decode = partial(_decode, listing, split, reading, access, mapped=not fits)
    images = load_or_decode(cache, origin, known, decode, access, mapped=not fits)
    return images if fits else images.on_host(f"on the host, memory-mapped: {reason}")


def _decode(
    listing: SplitListing, split: str, reading: Reading, access: DataAccess, *, mapped: bool
) -> ImageSet:
    """Decode every file of the split, wide grey values all in one range; ``mapped``: into a file.

    All files are tried; then DataError names those that failed, and a notice what is unusual
    about others. Raises ResourceError where the images do not fit into memory, or on the disk.
    """
    paths = [Path(f"{listing.root}/{name}") for name in listing.names]
    images_NCHW = _allocate(len(paths), reading.size_px, access, mapped=mapped)
    files: list[DecodedFile] = []
    failures: list[str] = []
    batches = decode_batches(
        paths, reading, FILES_PER_TASK, num_ahead=2 * count_workers(), hashed=True
    )
    with closing(batches), access.progress(f"Decoding the {split} images", len(paths)) as advance:
        for batch in batches:
            start = len(files)
            files += batch.files
            images_NCHW[start : len(files)] = torch.from_numpy(batch.pixels_BCHW)
            failures += [error.message for error in batch.errors]
            advance(len(batch.files) + len(batch.errors))
    if failures:
        raise DataError(
            f"{len(failures)} of {len(paths)} files are not usable images; "
            f"replace or remove them:\n{_list_some(failures)}"
        )
    grey_bits = {file.grey_bits for file in files if file.grey_bits}
    most = max(grey_bits, default=None)
    if most and min(grey_bits) < 16 and reading.grey_bits is None:
        access.notice(
            f"{split}: 16-bit files with values up to {2**most - 1:,} at most are taken as "
            f"{most}-bit grey; data.grey_bits sets it"
        )
    if len(grey_bits) > 1:  # a range of each file's own would make dark scans as bright as others
        del images_NCHW
        reading = replace(reading, grey_bits=most)
        return _decode(listing, split, reading, access, mapped=mapped)
    notices = [
        f"{file.path}: {remark}"
        for file in files
        for remark in file.notices
        if not remark.startswith(TAKEN_AS)
    ]
    if notices:
        access.notice(f"about some images:\n{_list_some(notices)}")
    return ImageSet(
        images_NCHW,
        torch.tensor(listing.labels),
        listing.class_names,
        listing.names,
        torch.tensor([file.hash for file in files]),
        FileFacts.of([file.size_px for file in files], most),
    )


def _allocate(num_images: int, size_px: int, access: DataAccess, *, mapped: bool) -> Tensor:
    """Make room for the pixels: in memory, or ``mapped``, in a file where one can be written."""
    shape, folder = (num_images, 3, size_px, size_px), access.data_dir / "folder-cache"
    need = f"{num_images} images of {size_px} × {size_px} pixels need {prod(shape) / 1e9:.1f} GB"
    try:
        if mapped:
            return _map_new_file(shape, folder)
    except OSError as problem:
        why = f"{need} in {folder}, twice at first: {problem.strerror}"
        if prod(shape) > MOST_IN_MEMORY * free_memory(torch.device("cpu")):
            raise ResourceError(f"{why}; free the disk, or lower data.image_size") from problem
        access.notice(f"{why}; they are in memory now")
    try:
        return torch.from_numpy(np.empty(shape, dtype=np.uint8))
    except MemoryError as problem:
        advice = "set data.resident=host, or lower data.image_size"
        raise ResourceError(f"{need} of memory; {advice}") from problem


def _map_new_file(shape: tuple[int, ...], folder: Path) -> Tensor:
    with TemporaryFile(dir=folder) as file:  # without a name: it ends with its map
        if hasattr(os, "posix_fallocate"):  # else a disk that fills up would kill the process
            os.posix_fallocate(file.fileno(), 0, prod(shape))
        return torch.from_numpy(np.memmap(file, np.uint8, "r+", shape=shape))


def _list_some(remarks: list[str]) -> str:
    """Return the first remarks, one to a line and sorted, and the number of the others."""
    lines = [f"  {in_one_line(remark)}" for remark in sorted(remarks)[:MAX_NAMED]]
    others = len(remarks) - MAX_NAMED
    return "\n".join([*lines, f"  and {others} others"] if others > 0 else lines)
