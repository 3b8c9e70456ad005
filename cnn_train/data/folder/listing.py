"""What lies in one split of a folder dataset: classes, files, and what does not belong there.

Expected: ``root/train/<class>/<image>``, and optionally ``root/val`` and ``root/test`` alike.
"""

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ...errors import DataError, MissingSplitError, name_some
from ..images.paths import is_system_file


@dataclass(frozen=True)
class SplitListing:
    """The files of one split, sorted by class and name.

    names: paths below the root, like ``test/cat/0007.jpg``. labels: positions in ``class_names``.
    ignored: names of system files. stamp: changes with any file's name, size or modification time.
    """

    root: Path
    names: tuple[str, ...]
    labels: tuple[int, ...]
    class_names: tuple[str, ...]
    ignored: tuple[str, ...]
    stamp: str

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where each image lies."""
        return tuple(Path(f"{self.root}/{name}") for name in self.names)


def list_split(root: Path, split: str) -> SplitListing:
    """List the images of ``root/split``; nothing is opened.

    Raises DataError where the split is missing or empty, a class is empty, or something lies where
    only folders or only files belong.
    """
    entries, ignored = _scan_split(root, split)
    class_names = [entry.name for entry in entries]
    digest, names, labels, empty = sha256(), [], [], []
    for label, entry in enumerate(entries):
        images, ignored_here = _scan_class(root, entry)
        ignored += ignored_here
        if not images:
            empty.append(entry.name)
        for image in images:
            names.append(f"{split}/{entry.name}/{image.name}")
            labels.append(label)
            digest.update(_describe_version(names[-1], image))
    if empty:
        raise DataError(f"{root / split}: no images of {name_some(empty)}; add some, or remove it")
    return SplitListing(
        root, tuple(names), tuple(labels), tuple(class_names), tuple(ignored), digest.hexdigest()
    )


def _scan_split(root: Path, split: str) -> tuple[list[os.DirEntry[str]], list[str]]:
    """Return the class folders and the ignored files of a split."""
    folder = root / split
    if not folder.is_dir():
        expected = f"expected {folder}/<class>/<image> for every image"
        if root.is_dir() and split == "test":
            raise MissingSplitError(
                f"{root}: has no folder 'test'; {expected}, or evaluate on --split val"
            )
        problem = f"has no folder '{split}'" if root.is_dir() else "no such folder"
        raise DataError(f"{root}: {problem}; {expected}")
    entries, ignored = _scan(root, folder)
    files = [entry.name for entry in entries if not entry.is_dir()]
    if files:
        raise DataError(
            f"{folder}: only class folders belong here, not {name_some(files)}; "
            f"expected {folder}/<class>/<image>"
        )
    least = 2 if split == "train" else 1
    if len(entries) < least:
        raise DataError(
            f"{folder}: {len(entries)} class folders, but {split} needs at least {least}; "
            f"expected {folder}/<class>/<image>"
        )
    return entries, ignored


def _scan_class(root: Path, entry: os.DirEntry[str]) -> tuple[list[os.DirEntry[str]], list[str]]:
    """Return the images and the ignored files of a class folder."""
    entries, ignored = _scan(root, Path(entry.path))
    folders = [inner.name for inner in entries if inner.is_dir()]
    if folders:
        raise DataError(
            f"{entry.path}: images lie directly in their class folder; "
            f"move those of {name_some(folders)} up"
        )
    return entries, ignored


def _scan(root: Path, folder: Path) -> tuple[list[os.DirEntry[str]], list[str]]:
    """Return a folder's entries, sorted, and the system files in it (paths below the root)."""
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError as problem:
        raise DataError(
            f"{folder}: cannot be read ({problem.strerror}); change its permissions"
        ) from problem
    ignored = [
        Path(entry.path).relative_to(root).as_posix()
        for entry in entries
        if is_system_file(entry.name)
    ]
    return [entry for entry in entries if not is_system_file(entry.name)], ignored


def _describe_version(name: str, entry: os.DirEntry[str]) -> bytes:
    """Describe a file by name, size and time; a dangling link has a name only."""
    try:
        status = entry.stat()
    except OSError:
        return os.fsencode(f"{name}\0")
    return os.fsencode(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0")
