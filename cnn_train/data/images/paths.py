"""Find the image files that a command line names: files, folders and glob patterns."""

import glob
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...errors import in_one_line
from ..system_files import is_system_file


@dataclass(frozen=True)
class UnusableImage:
    """A path that yields no prediction, and why."""

    path: str
    message: str


def find_images(paths: Iterable[str | Path]) -> tuple[list[Path], list[UnusableImage]]:
    """Expand files, folders (recursively, sorted) and glob patterns, and say what matches nothing.

    Names say nothing of what a file holds: reading it says what is wrong. A file that is named
    twice counts once. Hidden and system files are found only when they are named. Links to
    folders are entered only where they are named: by ``*``, not by ``**`` or a folder above them.
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
    if os.path.isdir(name):  # noqa: PTH112
        return _list_folder(Path(name))
    if os.path.exists(name) or not glob.has_magic(name):  # noqa: PTH110
        return [Path(name)], None
    files: list[Path] = []
    for match in _match(Path(name)):
        files += _list_folder(match)[0] if match.is_dir() else [match]
    return files, None if files else "the pattern matches no image; check it"


def _match(pattern: Path) -> list[Path]:
    """Expand a pattern; ``**`` enters no links to folders, which may lead in circles."""
    parts = pattern.parts
    first = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    # Within a name, two stars mean what one means.
    wild = [part if part == "**" else re.sub(r"\*+", "*", part) for part in parts[first:]]
    matches = sorted(Path(*parts[:first]).glob("/".join(wild)))
    if "**" in parts:
        matches = [one for one in matches if not (one.is_symlink() and one.is_dir())]
    if any(part.startswith(".") for part in wild):
        return matches
    return [one for one in matches if not any(map(is_system_file, one.parts[first:]))]


def _list_folder(folder: Path) -> tuple[list[Path], str | None]:
    """List a folder's files at any depth; name the first part of it that cannot be read."""
    unreadable: list[OSError] = []
    files: list[Path] = []
    for parent, subfolders, names in os.walk(folder, onerror=unreadable.append):
        subfolders[:] = sorted(name for name in subfolders if not is_system_file(name))
        files += [Path(parent, name) for name in names if not is_system_file(name)]
    files.sort()
    if unreadable:
        return files, f"cannot read {unreadable[0].filename} ({unreadable[0].strerror})"
    return files, None if files else "the folder holds no image; name another"
