"""How much disk files take. A file may have several names, and is counted once."""

from contextlib import suppress
from pathlib import Path

BLOCK_BYTES = 512
"""The unit of ``st_blocks``, whatever the file system's own blocks are (POSIX)."""


def disk_use(*paths: Path) -> int:
    """Return the bytes on disk of files, and of all that folders hold; links are not followed."""
    blocks = {}
    for path in (found for given in paths for found in (given, *given.rglob("*"))):
        with suppress(FileNotFoundError):  # of a run that goes on meanwhile
            facts = path.lstat()
            blocks[facts.st_dev, facts.st_ino] = facts.st_blocks
    return sum(blocks.values()) * BLOCK_BYTES
