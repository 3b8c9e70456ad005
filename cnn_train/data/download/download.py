"""Fetch one published file: mirrors in turn, resumed where it broke off, verified before use.

The standard library's urllib sends the requests. What a 170 MB archive on slow hosts needs
(resuming, several mirrors, a stall limit, no step down from https) has to be written here anyway.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from ...errors import DataError, ResourceError, UsageError
from ...machine.file_lock import acquire
from ..dataset import DataAccess
from .mirror import BrokenOffError, Mirror, MirrorError
from .remote_file import RemoteFile, hash_file

MAX_RESUMES_PER_MIRROR = 5


def download(remote: RemoteFile, access: DataAccess, *, stall_seconds: float = 30.0) -> Path:
    """Bring the file into ``access.data_dir`` unless it is there and intact; return its path.

    A second process that wants the same file waits for the first. Raises DataError where no
    mirror delivers the right bytes (or ``access.offline`` forbids to ask), ResourceError where
    the disk is full, UsageError where the directory cannot be written.
    """
    destination = access.data_dir / remote.name
    if remote.is_intact(destination):
        return destination
    if access.offline:
        raise DataError(
            f"{destination} is missing or damaged, and --offline forbids to download it: "
            + remote.manual_step(access.data_dir)
        )
    with _disk_errors(access.data_dir, remote.num_bytes):
        access.data_dir.mkdir(parents=True, exist_ok=True)
        waiting = f"another process is downloading {destination}; waiting for it"
        with acquire(Path(f"{destination}.lock"), lambda: access.notice(waiting)):
            if not remote.is_intact(destination):  # the other process may have brought it
                _try_mirrors(remote, destination, access, stall_seconds)
    return destination


@contextmanager
def _disk_errors(directory: Path, num_bytes: int) -> Iterator[None]:
    """Say what a failed write means for the user (network errors never get this far)."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ResourceError(
                f"{directory}: the disk is full; {num_bytes / 1e6:.0f} MB are needed: "
                "free some space or name another directory with --data-dir"
            ) from error
        raise UsageError(
            f"{error.filename or directory}: {error.strerror or error}; "
            "name a directory that can be written with --data-dir"
        ) from error


def _try_mirrors(
    remote: RemoteFile, destination: Path, access: DataAccess, stall_seconds: float
) -> None:
    part = destination.with_name(destination.name + ".part")
    failures = []
    for url in remote.urls:
        try:
            _fetch_verified(Mirror(url, remote, part, access, stall_seconds))
        except MirrorError as failure:
            failures.append(f"{urlsplit(url).hostname}: {failure}")
            if url != remote.urls[-1]:
                access.notice(f"{failures[-1]}; trying the next mirror")
        else:
            part.replace(destination)
            return
    raise DataError(
        f"cannot download {remote.name}: {'; '.join(failures)}. Check the network and try again "
        f"(a partial file is continued), or {remote.manual_step(access.data_dir)}"
    )


def _fetch_verified(mirror: Mirror) -> None:
    """Complete the partial file; where its hash is wrong, start afresh without the old bytes."""
    had_old_bytes = mirror.num_bytes_here() > 0
    _fetch_persistently(mirror)
    digest = hash_file(mirror.part)
    if digest == mirror.remote.sha256:
        return
    mirror.part.unlink()
    if not had_old_bytes:
        raise MirrorError(f"sent a wrong file (SHA-256 {digest}, expected {mirror.remote.sha256})")
    mirror.access.notice(f"{mirror.part} was damaged before it was continued; starting afresh")
    _fetch_verified(mirror)


def _fetch_persistently(mirror: Mirror) -> None:
    """Continue with the same mirror as long as every attempt brings something new."""
    for _ in range(MAX_RESUMES_PER_MIRROR):
        num_bytes_before = mirror.num_bytes_here()
        try:
            return mirror.fetch()
        except BrokenOffError as failure:
            if mirror.num_bytes_here() <= num_bytes_before:
                raise
            mirror.access.notice(f"{mirror.url}: {failure}; continuing")
    raise MirrorError(f"broke off {MAX_RESUMES_PER_MIRROR} times")
