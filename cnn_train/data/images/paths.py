"""Find the image files that a command line names: files, folders and glob patterns."""

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...errors import in_one_line
from ..system_files import is_system_file

MOST_FILES = 1_000_000  # of one argument


@dataclass(frozen=True)
class UnusableImage:
    """A path that yields no prediction, and why."""

    path: str
    message: str


def find_images(paths: Iterable[str | Path]) -> tuple[list[Path], list[UnusableImage]]:
    """Expand files, folders (recursively, sorted) and glob patterns, and say what matches nothing.

    Names say nothing of what a file holds: reading it says what is wrong. A file that is named
    twice counts once. Hidden and system files are found only when they are named. Folders that
    links lead to are entered only where their place is named: by ``*``, not ``**`` or above them.
    """
    files: list[Path] = []
    errors: list[UnusableImage] = []
    for name in map(str, paths):
        matches, complaint = _expand(name)
        files += matches
        if complaint:
            errors.append(UnusableImage(name, in_one_line(f"{name}: {complaint}")))
    return list(dict.fromkeys(files)), list(dict.fromkeys(errors))


def _expand(name: str) -> tuple[list[Path], str | None]:
    """Return what ``name`` stands for, and what is wrong with it (None: nothing)."""
    # os.path instead of Path: it fails neither without HOME nor on a forbidden or endless name.
    name = os.path.expanduser(name)  # noqa: PTH111
    is_folder = os.path.isdir(name)  # noqa: PTH112
    if not is_folder and (os.path.exists(name) or not glob.has_magic(name)):  # noqa: PTH110
        return [Path(name)], None
    matches = [Path(name)] if is_folder else _match(Path(name))
    folders = list(filter(os.path.isdir, matches))
    unreadable: list[OSError] = []
    found = [files for _, files in _walk(folders, unreadable)]
    files = sorted({*matches}.difference(folders).union(*found))
    if len(files) > MOST_FILES:
        return [], f"more than {MOST_FILES:,} files; name fewer at a time"
    if unreadable:
        return files, f"cannot read {unreadable[0].filename} ({unreadable[0].strerror})"
    if not files and is_folder:
        return [], "the folder holds no image; name another"
    return files, None if files else "the pattern matches no image; check it"


def _match(pattern: Path) -> list[Path]:
    """Expand a pattern part by part as ``glob`` does, but look into each real folder once."""
    found = [Path()]
    for part in pattern.parts:
        found = list({os.path.realpath(one): one for one in reversed(found)}.values())
        if part == "**":
            found = [folder for folder, _ in _walk(found, [])]
        else:
            names = ((folder, glob.glob(part, root_dir=folder)) for folder in found)  # noqa: PTH207
            found = sorted(folder / name for folder, matches in names for name in matches)
    return found


def _walk(tops: list[Path], unreadable: list[OSError]) -> Iterator[tuple[Path, list[Path]]]:
    """Yield the folders at and below ``tops``, each real one once, and the files in each."""
    waiting = [(str(top), os.path.realpath(top)) for top in reversed(tops)]
    seen: set[str] = set()
    while waiting:
        folder, place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        try:
            with os.scandir(folder) as scan:
                entries = [entry for entry in scan if not is_system_file(entry.name)]
        except OSError as problem:
            unreadable.append(problem)
            continue
        inner = {one.name: one.path for one in entries if one.is_dir(follow_symlinks=False)}
        waiting += [(inner[name], f"{place}/{name}") for name in sorted(inner, reverse=True)]
        files = [one for one in entries if one.name not in inner]
        yield Path(folder), [Path(one) for one in files if not os.path.isdir(one)]  # noqa: PTH112
