"""Data sets that cannot be trained on, in small folders."""

import gzip
import io
import tarfile
from pathlib import Path

from PIL import Image

OUTSIDE = "outside.bin"
"""What malicious archives would write where nobody asked for it."""


def bad_data_sets(directory: Path) -> dict[str, str]:
    """Make them; return, by name, the config's ``data`` section for each."""
    folders: dict[str, dict[str, list[str]]] = {
        "absent folder": {},
        "empty folder": {"": []},
        "folder without train": {"test/cat": ["1.png"]},
        "no classes": {"train": []},
        "one class": {"train/cat": ["1.png", "2.png", "3.png", "4.png"]},
        "an empty class": {"train/cat": ["1.png", "2.png"], "train/dog": []},
        "a text among images": {
            "train/cat": ["1.png", "2.png", "3.png", "text.png"],
            "train/dog": ["1.png", "2.png", "3.png"],
        },
        "an empty image": {
            "train/cat": ["1.png", "2.png", "3.png", "empty.png"],
            "train/dog": ["1.png", "2.png", "3.png"],
        },
        "other classes in val": {
            "train/cat": ["1.png", "2.png"],
            "train/dog": ["1.png", "2.png"],
            "val/bird": ["1.png"],
        },
    }
    sections = {}
    for name, content in folders.items():
        root = directory / name.replace(" ", "-")
        for folder, files in content.items():
            (root / folder).mkdir(parents=True, exist_ok=True)
            for file in files:
                _write(root / folder / file)
        sections[name] = f"{{name: folder, root: {root}, image_size: 16}}"
    return sections | _bad_archives(directory)


def _write(path: Path) -> None:
    if path.name == "text.png":
        path.write_text("no image")
    elif path.name == "empty.png":
        path.touch()
    else:
        Image.new("RGB", (16, 16), (40 * int(path.stem), 90, 90)).save(path)


def _bad_archives(directory: Path) -> dict[str, str]:
    """Make archives that are not CIFAR-10."""
    contents = {
        "login page as archive": b"<!DOCTYPE html><html>Log in</html>",
        "empty archive": b"",
        "half an archive": gzip.compress(bytes(4096))[:20],
        "gzip of nothing": gzip.compress(b""),
        "archive that climbs": _archive(f"../../{OUTSIDE}"),
        "archive with an absolute path": _archive(str(directory / OUTSIDE)),
        "archive of something else": _archive("notes.txt"),
    }
    sections = {"absent CIFAR-10": "{name: cifar10}"}
    for name, content in contents.items():
        path = directory / f"{name.replace(' ', '-')}.tar.gz"
        path.write_bytes(content)
        sections[name] = f"{{name: cifar10, path: {path}}}"
    return sections


def _archive(member: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        information = tarfile.TarInfo(member)
        information.size = 5
        archive.addfile(information, io.BytesIO(b"hello"))
    return buffer.getvalue()
