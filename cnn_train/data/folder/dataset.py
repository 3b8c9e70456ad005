"""Your own images: one folder per class below ``train``, and optionally ``val`` and ``test``.

Shape letters: N examples, K classes.
"""

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Literal, Self

import numpy as np
import PIL
import torch
from numpy.typing import NDArray
from pydantic import Field

from ...errors import MAX_NAMED, DataError, ResourceError, in_one_line, name_some
from ...machine.cores import count_workers
from ..dataset import DataAccess, DatasetConfig, KnownImages
from ..decoded_cache import Origin, load_or_decode
from ..image_set import ImageSet
from ..images.decoding import FILES_PER_TASK, DecodedBatch, decode_batches
from ..images.square import LARGEST_SIZE_PX, FileFacts, Fit, Reading
from ..location import expand_home
from .listing import SplitListing, list_split

DECODER_VERSION = 2  # raise it when the same file comes to mean other pixels


class FolderConfig(DatasetConfig):
    """Images in ``root/train/<class>/``, and optionally ``root/val`` and ``root/test`` alike."""

    name: Literal["folder"] = Field(default="folder", description="your own images, by folder")
    root: Path = Field(
        strict=False,
        description=(
            "folder with train/<class>/<image>, and optionally val and test alike; "
            "~ is your home, a relative path starts at the current directory"
        ),
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
        there = (root / "train").is_dir()
        class_names = list_split(root, "train").class_names if there else None
        return KnownImages((3, self.image_size, self.image_size), class_names)

    def load_train(self, access: DataAccess) -> ImageSet:
        """Load ``root/train``; the test images are neither needed nor looked at."""
        root = expand_home(self.root, "data.root")
        return load_split(root, "train", self.reading(self.image_size), access)

    def load_val(self, access: DataAccess, class_names: tuple[str, ...]) -> ImageSet | None:
        """Load ``root/val``; None where there is none."""
        if not (expand_home(self.root, "data.root") / "val").is_dir():
            return None
        return self._load_labelled("val", access, class_names)

    def load_test(self, access: DataAccess, class_names: tuple[str, ...]) -> ImageSet:
        """Load ``root/test``, labelled by position in ``class_names``."""
        return self._load_labelled("test", access, class_names)

    def _load_labelled(
        self, split: str, access: DataAccess, class_names: tuple[str, ...]
    ) -> ImageSet:
        """Load a split, number its labels by ``class_names``, and say which classes are absent."""
        root = expand_home(self.root, "data.root")
        images = load_split(root, split, self.reading(self.image_size), access)
        absent = [name for name in class_names if name not in images.class_names]
        images = images.relabel(class_names, split)
        if absent:
            access.notice(f"{split} has no images of {name_some(absent)}")
        return images


def load_split(root: Path, split: str, reading: Reading, access: DataAccess) -> ImageSet:
    """Load one split, decoded now or at an earlier start.

    The decoded pixels are kept in the data directory and hold for files of the same names, sizes
    and times; ``access.verify`` decodes again. Raises DataError for whatever is no image, or with
    ``access.verify`` is not the image that it was.
    """
    listing = list_split(root, split)
    if listing.ignored:
        access.notice(f"{root}: ignored {name_some(listing.ignored)}")
    cache = _cache_path(root, split, reading, access.data_dir)
    decoder = f"folder {DECODER_VERSION}, Pillow {PIL.__version__}"
    origin = Origin(listing.stamp, decoder, reading.grey_bits)
    return load_or_decode(cache, origin, lambda: _decode(listing, split, reading, access), access)


def _decode(listing: SplitListing, split: str, reading: Reading, access: DataAccess) -> ImageSet:
    """Decode every file of the split, and say what is unusual about some."""
    decoded = _decode_all(listing.paths, reading, f"Decoding the {split} images", access)
    grey_bits = _use_one_range(decoded, split, reading, access)
    notices = [
        f"{path}: {remark}"
        for path, remarks in zip(decoded.paths, decoded.notices, strict=True)
        for remark in remarks
    ]
    if notices:
        access.notice(f"about some images:\n{_list_some(notices)}")
    return ImageSet(
        torch.from_numpy(decoded.pixels_BCHW),
        torch.tensor(listing.labels),
        listing.class_names,
        listing.names,
        FileFacts.of(decoded.sizes_px, grey_bits),
    )


def _use_one_range(
    decoded: DecodedBatch, split: str, reading: Reading, access: DataAccess
) -> int | None:
    """Let wide grey values of all files fill as many bits as some need; return how many.

    A range of each file's own would make dark scans as bright as others.
    """
    found = [bits for bits in decoded.grey_bits if bits]
    most = max(found, default=None)
    if most is None or reading.grey_bits:
        return most
    others = [i for i, bits in enumerate(decoded.grey_bits) if bits not in (None, most)]
    if others:
        paths, again = [Path(decoded.paths[i]) for i in others], replace(reading, grey_bits=most)
        once_more = _decode_all(paths, again, f"Decoding {len(paths)} of them again", access)
        decoded.pixels_BCHW[others] = once_more.pixels_BCHW
    if others or most < 16:
        lesser = f"; {len(others):,} of {len(found):,} would do with less" if others else ""
        access.notice(
            f"{split}: 16-bit files hold values up to {2**most - 1:,} at most, taken as {most}-bit "
            f"grey{lesser}; data.grey_bits sets it"
        )
    return most


def _decode_all(
    paths: Sequence[Path], reading: Reading, description: str, access: DataAccess
) -> DecodedBatch:
    """Decode all files; DataError names those that failed, after all were tried.

    Raises ResourceError where the images do not fit into memory.
    """
    whole = DecodedBatch(_allocate(len(paths), reading.size_px))
    batches = decode_batches(paths, reading, FILES_PER_TASK, num_ahead=2 * count_workers())
    with closing(batches), access.progress(description, len(paths)) as advance:
        for batch in batches:
            start, stop = len(whole.paths), len(whole.paths) + len(batch.paths)
            whole.pixels_BCHW[start:stop] = batch.pixels_BCHW
            whole.extend(batch)
            advance(len(batch.paths) + len(batch.errors))
    if whole.errors:
        raise DataError(
            f"{len(whole.errors)} of {len(paths)} files are not usable images; replace or remove "
            f"them:\n{_list_some([error.message for error in whole.errors])}"
        )
    return whole


def _allocate(num_images: int, size_px: int) -> NDArray[np.uint8]:
    try:
        return np.empty((num_images, 3, size_px, size_px), dtype=np.uint8)
    except MemoryError as problem:
        gigabytes = num_images * 3 * size_px**2 / 1e9
        raise ResourceError(
            f"{num_images} images of {size_px} × {size_px} pixels need {gigabytes:.1f} GB of "
            "memory; lower data.image_size"
        ) from problem


def _list_some(remarks: list[str]) -> str:
    """Return the first remarks, one to a line and sorted, and the number of the others."""
    lines = [f"  {in_one_line(remark)}" for remark in sorted(remarks)[:MAX_NAMED]]
    others = len(remarks) - MAX_NAMED
    return "\n".join([*lines, f"  and {others} others"] if others > 0 else lines)


def _cache_path(root: Path, split: str, reading: Reading, data_dir: Path) -> Path:
    """Name one cache file per split, size and fit: a changed data set replaces its old one."""
    key = sha256(os.fsencode(root.resolve() / split)).hexdigest()[:16]
    fit = "" if reading.fit == "crop" else f"-{reading.fit}"
    return data_dir / "folder-cache" / f"{split}-{reading.size_px}px{fit}-{key}.bin"
