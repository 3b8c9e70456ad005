"""Files that are no checkpoints, or no longer: cut short, foreign, malicious."""

import hashlib
import io
import pickle
import random
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from PIL import Image


class Malice:
    """An object whose unpickling makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


def make_foreign_files(directory: Path, good: bytes, marker: Path, seed: int) -> list[Path]:
    """Write the files; ``marker`` is what the malicious ones make if their code runs."""
    paths = []
    for name, content in _contents(directory, good, marker, seed):
        path = directory / name
        path.write_bytes(content)
        paths.append(path)
    (directory / "directory.ckpt").mkdir()
    return [*paths, directory / "directory.ckpt", directory / "missing.ckpt"]


def _contents(directory: Path, good: bytes, marker: Path, seed: int) -> Iterator[tuple[str, bytes]]:
    dice = random.Random(seed)
    for size in (1, 47, 48, 49, 100, 1_000, 1_048_576):
        yield f"random-{size}.ckpt", dice.randbytes(size)
    yield "zeros.ckpt", bytes(4096)
    yield "text.ckpt", b"epochs: 3\n" * 100
    yield "page.ckpt", b"<!DOCTYPE html><html><body>Log in</body></html>"
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    yield "picture.ckpt", picture.getvalue()
    yield "zip.ckpt", _zip({"a.txt": b"hello"})
    yield "twice.ckpt", good + good[:-1]
    yield "tail-lost.ckpt", good + bytes(100)
    malice = pickle.dumps(Malice(marker))
    yield "pickle.ckpt", malice
    yield "signed-pickle.ckpt", signed(malice)
    archive = _saved(Malice(marker))
    yield "archive.ckpt", archive
    yield "signed-archive.ckpt", signed(archive)
    yield "signed-global.ckpt", signed(_saved({"model": Path("somewhere")}))
    yield "signed-tensor.ckpt", signed(_saved(torch.zeros(2)))
    yield "signed-other-dict.ckpt", signed(_saved({"net": {}, "acc": 1.0, "epoch": 3}))
    yield "newer.ckpt", signed(good[:-48], version=9_999)
    yield "signed-nothing.ckpt", signed(b"")


def signed(content: bytes, version: int = 1) -> bytes:
    """Append the footer that a checkpoint has, with a right checksum: it keeps no forger out."""
    body = content + b"CNNTRAIN" + struct.pack(">Q", version)
    return body + hashlib.sha256(body).digest()


def _saved(state: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()
