"""What the data directory keeps: downloads, and decoded images that can be decoded again."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import LockedError, UsageError
from ..machine.disk_use import disk_use
from ..machine.file_lock import is_held
from .cifar10.releases import RELEASES
from .decoded_cache import lock_of, read_place

DECODED, DOWNLOADED = "decoded", "downloaded"


@dataclass(frozen=True)
class KeptFile:
    """A decoded set, a downloaded archive, or what it was unpacked to.

    place: where the images lie that it was decoded from. last_used: a day, ISO 8601, as far as the
    file system notes it.
    """

    path: str
    kind: str
    place: str
    size: int
    last_used: str


def list_kept(data_dir: Path) -> list[KeptFile]:
    """List the decoded sets and the downloads; whatever else lies there is not ours."""
    decoded = (*data_dir.glob("folder-cache/*.bin"), *data_dir.glob("decoded/*.bin"))
    names = [name for one in RELEASES for name in (one.archive.name, one.directory)]
    downloads = [data_dir / name for first in names for name in (first, f"{first}.part")]
    return [
        *(_describe(path, DECODED) for path in sorted(decoded)),
        *(_describe(path, DOWNLOADED) for path in downloads if path.exists()),
    ]


def _describe(path: Path, kind: str) -> KeptFile:
    """Look at a file or folder, which is no use of it."""
    found = path.stat()
    used = time.localtime(max(found.st_atime, found.st_mtime))
    place = read_place(path) if kind == DECODED else ""
    with suppress(OSError):  # of somebody else
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    return KeptFile(str(path), kind, place, disk_use(path), time.strftime("%Y-%m-%d", used))


def remove_decoded(path: Path) -> None:
    """Remove a decoded set; a training that has mapped it keeps its pixels until it ends.

    Raises LockedError where a process is decoding it, UsageError where it may not be removed.
    """
    if is_held(lock_of(path)):
        raise LockedError(f"{path}: another process is decoding these images")
    try:
        path.unlink(missing_ok=True)
    except OSError as problem:
        raise UsageError(f"{path}: cannot be removed ({problem.strerror})") from None
