"""Read files that may be anything: a pipe, a device or an enormous file is refused, not read.

A refusal is an OSError whose ``strerror`` says why, as those of the system do.
"""

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

# Opening a pipe waits for its other end without this. Windows has no such pipes.
NEVER_WAIT = getattr(os, "O_NONBLOCK", 0)


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading; raises OSError at once for whatever else has the name."""
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | NEVER_WAIT))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return file


def read_regular(path: Path, most_bytes: int) -> bytes:
    """Return a regular file's bytes; raises OSError where there are more than ``most_bytes``."""
    with open_regular(path) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"larger than {most_bytes / 1e6:g} MB", str(path))
    return content
