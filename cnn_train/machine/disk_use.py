"""How much disk files take. A file may have several names, and is counted once."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

BLOCK_BYTES = 512
"""The unit of ``st_blocks``, whatever the file system's own blocks are (POSIX)."""


def disk_use(paths: Iterable[Path], *, once_removed: bool = False) -> int:
    """Return the bytes on disk of files, and of all files below folders.

    once_removed: only of those that no name is left of when all these names are removed.
    """
    names, facts = Counter[tuple[int, int]](), dict[tuple[int, int], os.stat_result]()
    for file in _files(paths):
        with suppress(FileNotFoundError):  # of a run that goes on meanwhile
            found = file.lstat()
            names[found.st_dev, found.st_ino] += 1
            facts[found.st_dev, found.st_ino] = found
    counted = (f for key, f in facts.items() if not once_removed or names[key] >= f.st_nlink)
    return sum(found.st_blocks * BLOCK_BYTES for found in counted)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_symlink() or not path.is_dir():
            yield path
        for folder, _, names in os.walk(path):
            yield from (Path(folder, name) for name in names)
