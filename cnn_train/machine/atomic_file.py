"""Write files so that each is either complete or as it was before."""

import errno
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import ResourceError, UsageError

TEMPORARY = ".tmp"

# A disk may be full for a moment only: another program's file, a quota that is being raised.
RETRY_AFTER_SECONDS = (0.5, 1.5)


def write_atomically(
    path: Path,
    *pieces: bytes | memoryview,
    prove: Callable[[Path], object] = lambda temporary: None,
) -> None:
    """Replace ``path`` by the ``pieces`` so that a crash at any moment leaves the old or new file.

    Temporary file in the same directory, write, flush, fsync, rename, fsync the directory. A full
    disk is tried again twice within two seconds. ``prove`` reads the temporary file; where that is
    of no use, it raises, and ``path`` stays as it was. Raises ResourceError (path and cause) where
    the disk stays full or refuses.
    """
    num_bytes = sum(memoryview(piece).nbytes for piece in pieces)
    for seconds in (*RETRY_AFTER_SECONDS, None):
        try:
            if shutil.disk_usage(path.parent).free < num_bytes:  # no part of it is written
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            with _replacing(path) as temporary:
                with temporary.open("xb") as file:
                    file.writelines(pieces)
                    file.flush()
                    os.fsync(file.fileno())
                prove(temporary)
            return
        except OSError as problem:
            if problem.errno != errno.ENOSPC or seconds is None:
                raise ResourceError(_explain(problem, path, num_bytes)) from problem
            time.sleep(seconds)


def check_writable(path: Path) -> None:
    """Refuse early, with UsageError, a path whose directory is missing or may not be written."""
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no directory {path.parent}; create it first")
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"{path}: may not write into {path.parent}; choose another directory")


def write_anew(path: Path, content: bytes) -> None:
    """Write ``content`` as :func:`write_atomically` does, unless the file holds just that."""
    is_alike = path.is_file() and path.stat().st_size == len(content)
    if not (is_alike and path.read_bytes() == content):
        write_atomically(path, content)


def save_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write ``document``, indented, as :func:`write_atomically` does."""
    write_atomically(path, (json.dumps(document, indent=2, allow_nan=False) + "\n").encode())


def give_second_name(path: Path, name: Path) -> None:
    """Make ``name`` a second name of the file ``path``, in one step, unless it is.

    A file system without links gets a copy. Raises ResourceError as :func:`write_atomically` does.
    """
    if name.exists() and name.samefile(path):
        return
    try:
        with _replacing(name) as temporary:
            temporary.hardlink_to(path)
    except OSError:
        write_atomically(name, path.read_bytes())


def make_folder(path: Path) -> None:
    """Make a folder unless it exists; raises ResourceError as :func:`write_atomically` does."""
    try:
        path.mkdir(exist_ok=True)
    except OSError as problem:
        raise ResourceError(_explain(problem, path, 0)) from None


def remove_leftovers(directory: Path) -> None:
    """Remove the temporary files that writers killed in ``directory`` have left behind."""
    for path in filter(Path.is_file, directory.glob(f".*{TEMPORARY}")):
        path.unlink(missing_ok=True)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield the name of a file that the block makes; then it takes the place of ``path``."""
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}{TEMPORARY}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "posix":  # the rename itself survives a power loss; Windows opens no directory
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _explain(problem: OSError, path: Path, num_bytes: int) -> str:
    if problem.errno == errno.ENOSPC:
        return f"{path}: disk full; need {num_bytes / 1e6:.1f} MB in {path.parent}"
    name = errno.errorcode.get(problem.errno or 0, "unknown error")
    return f"{path}: cannot write ({name}: {problem.strerror or problem})"
