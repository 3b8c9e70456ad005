"""What lies in one split of a folder dataset: classes, files, and what does not belong there."""

import os
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ...errors import DataError, MissingSplitError, name_some
from ..image_set import same_spelling
from ..system_files import is_system_file

SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""What the folder of a split may be called, in capitals or not."""


def find_splits(root: Path) -> tuple[dict[str, str], list[str]]:
    """Return the name of each split's folder, and of those of no split; none is opened.

    Raises DataError where two folders are of one split. A link to a split's folder is no second.
    """
    if not root.is_dir():
        return {}, []
    folders = [entry.name for entry in filter(os.path.isdir, _scan(root, root)[0])]
    names = {}
    for split, spellings in SPLIT_FOLDERS.items():
        found = [name for name in folders if name.lower() in spellings]
        if len({os.path.realpath(root / name) for name in found}) > 1:
            raise DataError(
                f"{root}: {' and '.join(found)} both name the {split} images; keep one of them"
            )
        if found:
            names[split] = min(found, key=lambda name: name != split)
    known = {spelling for spellings in SPLIT_FOLDERS.values() for spelling in spellings}
    return names, [name for name in folders if name.lower() not in known]


@dataclass(frozen=True)
class SplitListing:
    """The files of one split, sorted by class and name.

    names: paths below the root, like ``test/cat/0007.jpg``. labels: positions in ``class_names``,
    which are sorted and in Unicode's composed form, however a file system spells them.
    ignored: names of system files. stamp: changes with any file's name, size or modification time.
    """

    root: Path
    names: tuple[str, ...]
    labels: tuple[int, ...]
    class_names: tuple[str, ...]
    ignored: tuple[str, ...]
    stamp: str


def list_split(root: Path, split: str) -> SplitListing:
    """List the images of a split; nothing is opened.

    Raises DataError where the split is missing or empty, a class is empty or there twice, or
    something lies where only folders or only files belong.
    """
    folder = _find_split(root, split)
    entries, ignored = _scan_split(root, folder, split)
    class_names = [same_spelling(entry.name) for entry in entries]
    digest, names, labels, empty = sha256(), [], [], []
    for label, entry in enumerate(entries):
        images, ignored_here = _scan(root, Path(entry.path))
        ignored += ignored_here
        others = (image for image in images if not image.is_file(follow_symlinks=False))
        folders = [other.name for other in filter(os.path.isdir, others)]
        if folders:
            raise DataError(
                f"{entry.path}: images lie directly in their class folder; "
                f"move those of {name_some(folders)} up"
            )
        if not images:
            empty.append(entry.name)
        digest.update(os.fsencode(f"{class_names[label]}\0"))
        for image in images:
            names.append(f"{folder.name}/{entry.name}/{image.name}")
            labels.append(label)
            digest.update(_describe_version(names[-1], image))
    if empty:
        raise DataError(f"{folder}: no images of {name_some(empty)}; add some, or remove it")
    return SplitListing(
        root, tuple(names), tuple(labels), tuple(class_names), tuple(ignored), digest.hexdigest()
    )


def _find_split(root: Path, split: str) -> Path:
    names = find_splits(root)[0]
    if split in names:
        return root / names[split]
    expected = f"expected {root / split}/<class>/<image> for every image"
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; {expected}")
    if split == "test" and "train" in names:
        expected += ", or measure on --split val"
    kind = MissingSplitError if split == "test" else DataError
    raise kind(f"{root}: has no folder '{split}'; {expected}")


def _scan_split(root: Path, folder: Path, split: str) -> tuple[list[os.DirEntry[str]], list[str]]:
    """Return the class folders, sorted by class, and the ignored files of a split."""
    entries, ignored = _scan(root, folder)
    # os.path.isdir: the entry's own method fails for a link to itself.
    files = [entry.name for entry in entries if not os.path.isdir(entry)]  # noqa: PTH112
    places = Counter(map(os.path.realpath, entries))
    places.update(map(str, Path(os.path.realpath(folder / "class")).parents))
    linked = [entry.name for entry in entries if places[os.path.realpath(entry)] > 1]
    least = 2 if split == "train" else 1
    problem = None
    if files:
        problem = f"only class folders belong here, not {name_some(files)}"
    elif len(entries) < least:
        problem = f"{len(entries)} class folders, but {split} needs at least {least}"
    elif linked:
        problem = f"{name_some(linked)}: links to one folder, or in a circle; remove them"
    if problem:
        raise DataError(f"{folder}: {problem}; expected {folder}/<class>/<image>")
    counts = Counter(same_spelling(entry.name) for entry in entries)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise DataError(
            f"{folder}: two folders of {name_some(twice)}, whose accents are encoded differently; "
            "move their images into one"
        )
    return sorted(entries, key=lambda entry: same_spelling(entry.name)), ignored


def _scan(root: Path, folder: Path) -> tuple[list[os.DirEntry[str]], list[str]]:
    """Return a folder's entries, sorted, and the system files in it (paths below the root)."""
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError as problem:
        raise DataError(
            f"{folder}: cannot be read ({problem.strerror}); change its permissions"
        ) from problem
    ignored = [Path(entry.path) for entry in entries if is_system_file(entry.name)]
    known = [entry for entry in entries if not is_system_file(entry.name)]
    return known, [path.relative_to(root).as_posix() for path in ignored]


def _describe_version(name: str, entry: os.DirEntry[str]) -> bytes:
    """Describe a file by name, size and time; a dangling link has a name only."""
    try:
        status = entry.stat()
    except OSError:
        return os.fsencode(f"{name}\0")
    return os.fsencode(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\0")
