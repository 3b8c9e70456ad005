"""Read chosen members of a .tar.gz in memory; nothing is ever unpacked to the disk."""

import gzip
import io
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from ...errors import DataError

MAX_UNPACKED_BYTES = 1 << 28  # CIFAR-10 unpacks to 186 MB; much more than that is a bomb
MAX_MEMBERS = 1000


def read_members(path: Path, wanted: Mapping[str, int]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the ``wanted`` members (name -> size in bytes), in archive order.

    The whole archive is walked. Raises DataError for a damaged archive, a wanted member of
    another size, and anything that has no place in a dataset: absolute or ``..`` paths, links,
    devices, or more data than MAX_UNPACKED_BYTES.
    """
    with _open_archive(path) as archive:
        for name, member in _walk(archive, path):
            if member.isfile() and name in wanted:
                if member.size != wanted[name]:
                    raise DataError(
                        f"{path}: {name} holds {member.size} bytes, expected {wanted[name]}"
                    )
                content = archive.extractfile(member)
                assert content is not None
                yield name, content.read()


def top_directory(path: Path) -> str:
    """Return the first path component of the first member, or "" for an empty archive."""
    with _open_archive(path) as archive:
        return next((name.partition("/")[0] for name, _ in _walk(archive, path)), "")


def _walk(archive: tarfile.TarFile, path: Path) -> Iterator[tuple[str, tarfile.TarInfo]]:
    """Yield every member with its name, without a leading ``./``; refuse what is unsafe."""
    for count, member in enumerate(archive):
        name = PurePosixPath(member.name)
        if count >= MAX_MEMBERS:
            raise DataError(f"{path}: refused: more than {MAX_MEMBERS} members")
        if name.is_absolute() or ".." in name.parts or "\\" in member.name:
            raise DataError(
                f"{path}: refused: the member {member.name!r} points out of the archive"
            )
        if not (member.isfile() or member.isdir()):
            raise DataError(f"{path}: refused: the member {member.name!r} is a link or a device")
        yield str(name), member


@contextmanager
def _open_archive(path: Path) -> Iterator[tarfile.TarFile]:
    """Open for reading from front to back; every kind of damage is a DataError."""
    try:
        with (
            gzip.open(path) as unpacked,
            tarfile.open(fileobj=_Capped(unpacked, path), mode="r|", bufsize=1 << 20) as archive,
        ):
            yield archive
    except (DataError, MemoryError):
        raise
    except Exception as error:  # tarfile lets nearly any of them through for a strange header
        if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
            raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
        raise DataError(
            f"{path}: not a readable .tar.gz archive ({error}); delete it and get it again"
        ) from error


class _Capped(io.RawIOBase):
    """Read at most MAX_UNPACKED_BYTES, whatever the headers claim; more is a DataError."""

    def __init__(self, source: IO[bytes] | gzip.GzipFile, path: Path) -> None:
        self.source = source
        self.path = path
        self.num_bytes = 0

    def read(self, size: int = -1) -> bytes:
        data = self.source.read(size)
        self.num_bytes += len(data)
        if self.num_bytes > MAX_UNPACKED_BYTES:
            raise DataError(f"{self.path}: refused: unpacks to more than {MAX_UNPACKED_BYTES} B")
        return data
