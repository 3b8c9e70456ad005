"""Keep a decoded image set in one file, so that later starts neither unpack nor decode.

The file holds the SHA-256 of the rest as 64 hex digits, a line of JSON, the labels and the pixels.
The hash is checked on every load: a flipped bit makes the caller decode again. So does what makes
no sense, whatever its hash.
"""

import json
import os
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from math import prod
from mmap import ACCESS_READ, mmap
from pathlib import Path

import torch
from pydantic import BaseModel

from ..errors import DataError, ResourceError, name_some
from ..machine.atomic_file import write_atomically
from ..machine.file_lock import acquire
from ..machine.regular_file import open_regular
from .dataset import DataAccess, KnownImages
from .image_set import ImageSet
from .images.modes import GREY_BITS
from .images.square import FileFacts

HASH_BYTES = 64
LABEL_BYTES = 8
MOST_HEADER_BYTES = 1 << 28  # four million images whose names have 40 characters


@dataclass(frozen=True)
class Origin:
    """What a set was decoded from, and by what.

    files: changes with the files' sizes and times. decoder: the version of the decoding code.
    grey_bits: what wide grey values were said to fill; None: it was found out. place: where the
    files lie, for a list of the caches; those of older releases do not say it.
    """

    files: str
    decoder: str = ""
    grey_bits: int | None = None
    place: str = field(default="", compare=False)


@dataclass(frozen=True)
class Decoded:
    """A set from the cache, and what it was decoded from."""

    origin: Origin
    images: ImageSet

    def serves(self, wanted: Origin) -> bool:
        """Tell whether decoding the wanted origin would give these very pixels."""
        found = self.images.files and self.images.files.grey_bits
        same_bits = wanted.grey_bits == self.origin.grey_bits or found in (None, wanted.grey_bits)
        return same_bits and wanted == replace(self.origin, grey_bits=wanted.grey_bits)


class Header(BaseModel):
    """What a file says of its set, of these types whoever wrote it."""

    files: str = ""
    decoder: str = ""
    grey_bits: int | None = None
    place: str = ""
    facts: FileFacts | None = None
    shape: tuple[int, ...]
    class_names: tuple[str, ...]
    names: tuple[str, ...]
    hashes: list[int] | None = None


def load_or_decode(
    path: Path,
    origin: Origin,
    known: KnownImages,
    decode: Callable[[], ImageSet],
    access: DataAccess,
    *,
    mapped: bool = False,
) -> ImageSet:
    """Return the set cached at ``path`` if it has this origin, else decode it and cache it there.

    ``mapped`` leaves the pixels in the file. A second process that wants the same set waits for the
    first. ``access.verify`` decodes in any case, and raises DataError where an image is not what it
    was when it was cached.
    """
    cached = None if access.verify else load_decoded(path, known, mapped=mapped)
    if cached is not None and cached.serves(origin):
        return cached.images
    with _only_one_process(path, access):
        cached = load_decoded(path, known, mapped=mapped)  # the other may have decoded it
        # Hashes instead of the cached set: both at once might not fit into memory.
        digests = {}
        if cached is not None:
            if cached.serves(origin) and not access.verify:
                return cached.images
            if cached.serves(replace(origin, files=cached.origin.files)):
                digests = _digest_images(cached.images)
        elif os.path.lexists(path):
            access.notice(f"{path}: is damaged or cannot be read; decoding the images again")
        del cached
        images = decode()
        _compare(images, digests, path, access)
        try:
            save_decoded(path, images, origin)
            kept = load_decoded(path, known, mapped=True) if mapped else None
            if kept and kept.serves(origin):
                return kept.images
        except (OSError, ResourceError) as problem:
            access.notice(f"the decoded images are not kept for the next start: {problem}")
    return images


def save_decoded(path: Path, images: ImageSet, origin: Origin) -> None:
    """Write ``images`` to ``path`` atomically.

    Raises OSError or ResourceError where the file cannot be written.
    """
    header = {
        **asdict(origin),
        "facts": images.files and asdict(images.files),
        "shape": images.images_NCHW.shape,
        "class_names": images.class_names,
        "names": images.names,
        "hashes": images.hashes_N.tolist(),
    }
    assert isinstance(images.images_NCHW, torch.Tensor)
    parts = (
        json.dumps(header).encode() + b"\n",
        images.labels_N.contiguous().numpy().data,
        images.images_NCHW.contiguous().numpy().data,
    )
    digest = sha256()
    for part in parts:
        digest.update(part)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, digest.hexdigest().encode(), *parts)


def read_place(path: Path) -> str:
    """Return where the images of a cached set lie; nothing where the file does not say it."""
    try:
        with open_regular(path) as file:
            file.seek(HASH_BYTES)
            return Header.model_validate_json(file.readline(MOST_HEADER_BYTES)).place
    except (OSError, ValueError):
        return ""


def load_decoded(path: Path, known: KnownImages, *, mapped: bool = False) -> Decoded | None:
    """Read or map the set, and what it was decoded from; None where it is absent or damaged."""
    try:
        with open_regular(path) as file:
            digest, line = file.read(HASH_BYTES), file.readline(MOST_HEADER_BYTES)
            header = Header.model_validate(json.loads(line))
            number, hashes, facts = len(header.names), header.hashes, header.facts
            num_bytes = number * (LABEL_BYTES + prod(known.image_shape))
            size = os.fstat(file.fileno()).st_size
            start, found = file.tell(), (size, header.shape, len(hashes or header.names))
            if found != (start + num_bytes, (number, *known.image_shape), number):
                return None
            if mapped:  # for reading only: what may be written counts as memory
                content: bytearray | mmap = mmap(file.fileno(), size, access=ACCESS_READ)
            else:
                content = bytearray(size)
                file.seek(0)
                file.readinto(content)
        whole, place = sha256(memoryview(content)[HASH_BYTES:]), start + LABEL_BYTES * number
        with warnings.catch_warnings(action="ignore"):
            labels_N = torch.frombuffer(content, dtype=torch.int64, count=number, offset=start)
            pixels = torch.frombuffer(content, dtype=torch.uint8, offset=place)
        labels_N = labels_N.clone()  # a header has any length
        hashes_N = torch.tensor(hashes, dtype=torch.int64) if hashes else None
    except (OSError, ValueError, RuntimeError):  # RuntimeError: JSON too deep, a hash too large
        return None
    labels_fit = 0 <= labels_N.min() <= labels_N.max() < len(header.class_names)
    bits_fit = (facts and facts.grey_bits) in (None, *GREY_BITS)
    if whole.hexdigest().encode() != digest or not labels_fit or not bits_fit:
        return None
    pixels_NCHW = pixels.view(header.shape)
    images = ImageSet(pixels_NCHW, labels_N, header.class_names, header.names, hashes_N, facts)
    # Without an origin, a set is decoded again: one without hashes, as older releases wrote them.
    files = header.files if hashes and header.class_names == known.class_names else ""
    return Decoded(Origin(files, header.decoder, header.grey_bits), images)


def _digest_images(images: ImageSet) -> dict[str, bytes]:
    pixels = images.images_NCHW
    return {name: sha256(pixels[i].numpy().data).digest() for i, name in enumerate(images.names)}


def _compare(images: ImageSet, before: Mapping[str, bytes], path: Path, access: DataAccess) -> None:
    """Report the images that changed since they were cached; ``access.verify``: refuse them."""
    now = _digest_images(images) if before else {}
    changed = [name for name in now if before.get(name, now[name]) != now[name]]
    if changed and access.verify:
        raise DataError(
            f"not what they were when they were first read: {name_some(changed)}; "
            f"restore them, or if you changed them yourself, remove {path}"
        )
    if changed:
        access.notice(f"changed since they were first read: {name_some(changed)}")


def lock_of(path: Path) -> Path:
    """Return the lock that a process holds while it decodes the set of ``path``."""
    return path.with_name(f".{path.name}.lock")


def _only_one_process(path: Path, access: DataAccess) -> AbstractContextManager[object]:
    """Let one process at a time decode the set, where the file system has locks."""
    waiting = "another process is decoding the same images; waiting for it"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return acquire(lock_of(path), lambda: access.notice(waiting))
    except (OSError, NotImplementedError):  # a read-only folder; a file system without locks
        return nullcontext()
