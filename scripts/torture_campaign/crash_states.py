"""Every state that a directory may be in after the power failed during some file operations.

A simple model of a file system that promises only what POSIX and ``fsync`` promise:

- what is in a file is safe once the file was synced; until then it may be what it was, nothing,
  a half, all of its length with zeros in the rest, or all;
- names (created, renamed, linked, removed) are safe once the directory was synced; until then any
  of these changes may have reached the disk, in any order, but each of them whole.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations, product
from pathlib import Path

from .file_operations import Operation

Directory = dict[str, bytes]


@dataclass
class _File:
    """A file whatever its names: what is safe of it, and what it would be if nothing was lost."""

    safe: bytes = b""
    current: bytearray = field(default_factory=bytearray)
    is_synced: bool = True

    def variants(self) -> set[bytes]:
        """Return what may be in it after a crash."""
        whole = bytes(self.current)
        if self.is_synced:
            return {self.safe}
        half = whole[: len(whole) // 2]
        return {self.safe, b"", half, half + bytes(len(whole) - len(half)), whole}


_Renaming = tuple[dict[str, _File], str]
"""A change of names, which happens as a whole: the names that appear, and one that is removed."""


class Disk:
    """A directory on a disk: what is in force, and what of it is safe."""

    def __init__(self, directory: Path) -> None:
        self._root = directory
        by_inode: dict[int, _File] = {}  # one file may have several names
        self.names: dict[str, _File] = {}
        for path in directory.iterdir():
            content = path.read_bytes()
            file = by_inode.setdefault(path.stat().st_ino, _File(content, bytearray(content)))
            self.names[path.name] = file
        self._safe_names = dict(self.names)
        self._pending: list[_Renaming] = []

    def apply(self, operation: Operation) -> None:
        """Make the operation; files in other directories are ignored."""
        name, target = (self._local(path) for path in (operation.path, operation.target))
        if operation.path and Path(operation.path) == self._root and operation.kind == "sync":
            self._safe_names, self._pending = dict(self.names), []
        elif name is None:
            return
        elif operation.kind == "create":
            self._rename({name: _File()})
        elif operation.kind == "rename" and target:
            self._rename({target: self.names[name]}, removed=name)
        elif operation.kind == "link" and target:
            self._rename({target: self.names[name]})
        elif operation.kind == "unlink":
            self._rename({}, removed=name)
        else:
            self._change(self.names[name], operation)

    def _local(self, path: str) -> str | None:
        return Path(path).name if path and Path(path).parent == self._root else None

    def _rename(self, added: dict[str, _File], removed: str = "") -> None:
        self._pending.append((added, removed))
        self.names = _renamed(self.names, self._pending[-1:])

    @staticmethod
    def _change(file: _File, operation: Operation) -> None:
        if operation.kind == "sync":
            file.safe, file.is_synced = bytes(file.current), True
            return
        file.is_synced = False
        if operation.kind == "truncate":
            file.current = bytearray()
        else:
            end = operation.offset + len(operation.data)
            file.current.extend(bytes(max(0, end - len(file.current))))
            file.current[operation.offset : end] = operation.data

    def content(self) -> Directory:
        """Return what is in the directory if nothing is lost."""
        return {name: bytes(file.current) for name, file in self.names.items()}

    def after_crash(self) -> Iterator[Directory]:
        """Yield every state that a crash now may leave."""
        for changes in chain.from_iterable(
            combinations(self._pending, size) for size in range(len(self._pending) + 1)
        ):
            names = _renamed(self._safe_names, changes)
            files = list({id(file): file for file in names.values()}.values())
            for contents in product(*(sorted(file.variants()) for file in files)):
                chosen = dict(zip(map(id, files), contents, strict=True))
                yield {name: chosen[id(file)] for name, file in names.items()}


def _renamed(names: dict[str, _File], changes: Sequence[_Renaming]) -> dict[str, _File]:
    names = dict(names)
    for added, removed in changes:
        names.pop(removed, None)
        names.update(added)
    return names


def crash_states(directory: Path, operations: Sequence[Operation]) -> Iterator[Directory]:
    """Yield each different state once: power failing before, between and after ``operations``.

    ``directory`` is as it was before them.
    """
    disk, seen = Disk(directory), set()
    for operation in [None, *operations]:
        if operation:
            disk.apply(operation)
        for state in disk.after_crash():
            key = frozenset(state.items())
            if key not in seen:
                seen.add(key)
                yield state
