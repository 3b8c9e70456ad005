"""What Python code does to files, operation by operation: to record it, or to let it fail.

Python's own functions are replaced while a block runs. Files written by C++ are not seen; whoever
records checks that what was recorded makes the files that are there.
"""

import builtins
import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

WRITING = os.O_WRONLY | os.O_RDWR


@dataclass(frozen=True)
class Operation:
    """One change of the file system, before it is made.

    kind: create, truncate, write (``data`` at ``offset`` bytes), sync (of a file or a directory),
    rename, link (``path`` to ``target``), unlink.
    """

    kind: str
    path: str
    target: str = ""
    offset: int = 0
    data: bytes = b""


Hear = Callable[[Operation], None]


class _WatchedFile(io.FileIO):
    """A file that reports every write before making it."""

    def __init__(self, file: Any, mode: str, watch: "_Watch") -> None:
        super().__init__(file, mode)
        self._watch = watch
        self._path = watch.paths.get(file, "") if isinstance(file, int) else os.fspath(file)
        watch.paths[self.fileno()] = self._path

    def write(self, data: Any) -> int:
        """Report the write, then make it."""
        self._watch.hear(Operation("write", self._path, "", self.tell(), bytes(data)))
        return super().write(data)


class _Watch:
    """Takes the place of functions of ``os`` and ``io``; knows the paths of open files."""

    def __init__(self, hear: Hear) -> None:
        self.hear = hear
        self.paths: dict[int, str] = {}
        self.open_descriptor, self.open_file = os.open, io.open
        self.sync, self.remove, self.write_bytes = os.fsync, os.unlink, os.write

    def os_open(self, path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        if flags & WRITING:
            self._begin(os.fspath(path), truncates=bool(flags & os.O_TRUNC))
        descriptor = self.open_descriptor(path, flags, mode, **more)
        self.paths[descriptor] = os.fspath(path)
        return descriptor

    def io_open(self, file: Any, mode: str = "r", *positional: Any, **more: Any) -> Any:
        if not set(mode) & set("wxa"):
            return self.open_file(file, mode, *positional, **more)
        if not isinstance(file, int):
            self._begin(os.fspath(file), truncates="w" in mode)
        binary = io.BufferedWriter(_WatchedFile(file, mode.replace("b", ""), self))
        if "b" in mode:
            return binary
        return io.TextIOWrapper(binary, encoding=more.get("encoding") or "utf-8")

    def _begin(self, path: str, *, truncates: bool) -> None:
        if path == os.devnull:
            return
        if not os.path.exists(path):  # noqa: PTH110  (Path would ask through the same functions)
            self.hear(Operation("create", path))
        elif truncates:
            self.hear(Operation("truncate", path))

    def os_write(self, descriptor: int, data: bytes) -> int:
        if descriptor in self.paths:
            offset = os.lseek(descriptor, 0, os.SEEK_CUR)
            self.hear(Operation("write", self.paths[descriptor], "", offset, bytes(data)))
        return self.write_bytes(descriptor, data)

    def os_fsync(self, descriptor: int) -> None:
        self.hear(Operation("sync", self.paths.get(descriptor, "")))
        self.sync(descriptor)

    def of_two_names(self, kind: str, function: Callable[..., None]) -> Callable[..., None]:
        """Return ``function``, which takes a path and a target, with a report before its work."""

        def heard(path: Any, target: Any, **more: Any) -> None:
            self.hear(Operation(kind, os.fspath(path), os.fspath(target)))
            function(path, target, **more)

        return heard

    def os_unlink(self, path: Any, **more: Any) -> None:
        if os.path.lexists(path):
            self.hear(Operation("unlink", os.fspath(path)))
        self.remove(path, **more)


@contextmanager
def watched(hear: Hear) -> Iterator[None]:
    """Report each operation to ``hear`` before it is made; what that raises happens instead."""
    watch = _Watch(hear)
    rename = watch.of_two_names("rename", os.replace)
    replaced = [
        (os, "open", watch.os_open), (os, "fsync", watch.os_fsync), (os, "write", watch.os_write),
        (os, "replace", rename), (os, "rename", rename),
        (os, "link", watch.of_two_names("link", os.link)), (os, "unlink", watch.os_unlink),
        (os, "remove", watch.os_unlink), (io, "open", watch.io_open),
        (builtins, "open", watch.io_open),
    ]  # fmt: skip
    with ExitStack() as stack:
        for module, name, function in replaced:
            stack.enter_context(patch.object(module, name, function))
        yield


_in_force = ExitStack()
"""Keeps what stays until the process ends."""

GROWS = ("create", "write", "sync", "rename", "link")
"""Operations that need room on the disk."""


def fail_operations(
    number: int, code: str, *, persistent: bool, below: str, pauses: tuple[float, ...]
) -> None:
    """Let the ``number``-th operation (from 1) below a directory fail, or all from it on.

    code: the errno's name. pauses: seconds between tries of a full disk, instead of the real ones.
    Stays in force until the process ends.
    """
    from cnn_train.machine import atomic_file

    seen = 0

    def hear(operation: Operation) -> None:
        nonlocal seen
        if operation.kind not in GROWS or not operation.path.startswith(below):
            return
        seen += 1
        if seen == number or (persistent and seen > number):
            failure = getattr(errno, code)
            raise OSError(failure, os.strerror(failure), operation.path)

    atomic_file.RETRY_AFTER_SECONDS = pauses  # type: ignore[assignment]
    _in_force.enter_context(watched(hear))
