"""The one writer of every file that matters: it is there whole, or as it was before."""

import errno
import os
import tempfile
from pathlib import Path

from .errors import ResourceError


def write_atomically(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` so that a crash at any moment leaves the old or the new file.

    Temporary file in the same directory, write, flush, fsync, rename, fsync the directory.
    Raises ResourceError (path and cause) where the disk is full or refuses.
    """
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o666 & ~_umask())
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync_directory(path.parent)
    except OSError as problem:
        raise ResourceError(_explain(problem, path, len(content))) from problem


def _sync_directory(directory: Path) -> None:
    """Make the rename itself survive a power loss; Windows cannot open a directory."""
    if os.name == "posix":
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _explain(problem: OSError, path: Path, num_bytes: int) -> str:
    if problem.errno == errno.ENOSPC:
        return f"{path}: disk full; need {num_bytes / 1e6:.1f} MB in {path.parent}"
    return f"{path}: cannot write ({problem.strerror or problem})"
