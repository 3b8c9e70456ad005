"""A file that is published on the web, and how to know that a copy of it is intact."""

from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path


@dataclass(frozen=True)
class RemoteFile:
    """A published file: its name on disk, where it can be had, and how to know that it is intact.

    Every mirror serves the same bytes, so what one of them sent can be continued from another.
    """

    name: str
    urls: tuple[str, ...]
    num_bytes: int
    sha256: str
    allowed_schemes: tuple[str, ...] = ("https",)

    def manual_step(self, directory: Path) -> str:
        """Say how to bring the file here by hand."""
        return (
            f"get {self.urls[0]} on a machine with a network and put it at "
            f"{directory / self.name} ({self.num_bytes} bytes, SHA-256 {self.sha256})"
        )

    def is_intact(self, path: Path) -> bool:
        """Tell whether ``path`` holds exactly this file: right size and right SHA-256."""
        return (
            path.is_file()
            and path.stat().st_size == self.num_bytes
            and hash_file(path) == self.sha256
        )


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hex digits."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
