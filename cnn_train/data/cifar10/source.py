"""Find CIFAR-10 on this machine, packed or unpacked, and read its verified batch files."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ...errors import DataError
from ...machine.regular_file import read_regular
from .archive import read_members, top_directory
from .releases import BatchFile, Release, Split


@dataclass(frozen=True)
class Source:
    """A release of CIFAR-10 at ``path``: its archive, or the directory that it unpacks to."""

    path: Path
    release: Release

    def has(self, split: Split) -> bool:
        """Tell whether the files of ``split`` are there (an archive holds both splits)."""
        batches = self.release.batches(split)
        return self.path.is_file() or all((self.path / batch.name).is_file() for batch in batches)

    def stamp(self, split: Split) -> str:
        """Describe the files of ``split`` by path, size and time: it changes when they do."""
        names = [batch.name for batch in self.release.batches(split)]
        files = [self.path] if self.path.is_file() else [self.path / name for name in names]
        states = [(os.path.realpath(file), _state_of(file)) for file in files]
        return json.dumps([(name, state.st_size, state.st_mtime_ns) for name, state in states])

    def read(self, split: Split) -> Iterator[tuple[BatchFile, bytes]]:
        """Yield every batch file of ``split`` with its content, after checking its hash.

        Other files are not looked at. Raises DataError for missing, damaged or unsafe content.
        """
        missing = list(self.release.batches(split))
        for batch, content in self._contents(missing[:]):
            digest = sha256(content).hexdigest()
            if digest != batch.sha256:
                raise DataError(
                    f"{self.path}: {batch.name} is damaged (SHA-256 {digest[:12]}…, published "
                    f"{batch.sha256[:12]}…); delete it and run `cnn-train data get`"
                )
            if batch not in missing:
                raise DataError(f"{self.path}: refused: {batch.name} is in the archive twice")
            missing.remove(batch)
            yield batch, content
        if missing:
            raise DataError(f"{self.path}: {missing[0].name} is missing")

    def _contents(self, batches: Sequence[BatchFile]) -> Iterator[tuple[BatchFile, bytes]]:
        if self.path.is_dir():
            for batch in batches:
                yield batch, _read_exactly(self.path / batch.name, batch.num_bytes)
        else:
            members = {f"{self.release.directory}/{batch.name}": batch for batch in batches}
            sizes = {name: batch.num_bytes for name, batch in members.items()}
            for name, content in read_members(self.path, sizes):
                yield members[name], content


def find_sources(directory: Path, releases: Sequence[Release]) -> Iterator[Source]:
    """Yield what ``directory`` holds of CIFAR-10: unpacked releases first, then archives."""
    for release in releases:
        for candidate in (directory / release.directory, directory):
            if any((candidate / batch.name).is_file() for batch in release.train + release.test):
                yield Source(candidate, release)
    for release in releases:
        if (directory / release.archive.name).is_file():
            yield Source(directory / release.archive.name, release)


def names_of(releases: Sequence[Release]) -> str:
    """List what the releases are called on disk, unpacked and packed."""
    return ", ".join(name for one in releases for name in (one.directory, one.archive.name))


def source_at(path: Path, split: Split, releases: Sequence[Release]) -> Source:
    """Recognise the user's own archive or directory; raise DataError where it is neither."""
    sources: list[Source] = []
    complaint = "does not exist; check data.path"
    if path.is_file():
        top = top_directory(path)
        sources = [Source(path, release) for release in releases if release.directory == top]
        expected = " or ".join(release.directory for release in releases)
        complaint = f"not a CIFAR-10 archive: it holds {top or 'nothing'}, expected {expected}"
    elif path.is_dir():
        sources = list(find_sources(path, releases))
        complaint = f"holds no CIFAR-10: looked for {names_of(releases)}"
    if not sources:
        raise DataError(f"{path}: {complaint}")
    return next((source for source in sources if source.has(split)), sources[0])


def _read_exactly(path: Path, num_bytes: int) -> bytes:
    size = _state_of(path).st_size
    if size != num_bytes:
        raise DataError(f"{path} holds {size} bytes, expected {num_bytes}; get CIFAR-10 again")
    try:
        return read_regular(path, num_bytes)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _state_of(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing; get CIFAR-10 again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
