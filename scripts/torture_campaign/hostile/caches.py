"""Decoded images whose hash is right and whose content makes no sense; files in their place.

Each is only a cache: the command decodes the images again and ends as without it. And what takes
the place of CIFAR-10's own files.
"""

import json
import os
import random
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cnn_train.data.decoded_cache import HASH_BYTES

from . import Ground, Trial

ODD_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2**31, 2**63, 10**400, 1.5, float("nan"), float("inf"), "", "x", "\ud800",
    "a\x1b[2J\n", [], [[]], [-1], [None], {}, {"a": 1}, [0] * 5000, "9" * 5000,
)  # fmt: skip
HEADERS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no shape": lambda header: header.pop("shape"),
    "no names": lambda header: header.pop("names"),
    "a negative number": lambda header: header.update(shape=[-4, 3, 16, 16]),
    "no images": lambda header: header.update(shape=[0, 3, 16, 16], names=[], hashes=[]),
    "other sides": lambda header: header.update(shape=[4, 3, 8, 32]),
    "one channel": lambda header: header.update(shape=[4, 1, 16, 48]),
    "three axes": lambda header: header.update(shape=[4, 3, 256]),
    "axes that overflow": lambda header: header.update(shape=[4, 2**32, 2**32, 2**32]),
    "a terabyte": lambda header: header.update(shape=[4, 3, 10**6, 10**5]),
    "one class": lambda header: header.update(class_names=["cat"]),
    "a class twice": lambda header: header.update(class_names=["cat", "cat"]),
    "other classes": lambda header: header.update(class_names=["wolf", "dog"]),
    "a name too few": lambda header: header["names"].pop(),
    "a hash too few": lambda header: header["hashes"].pop(),
    "a hash of 64 bits": lambda header: header["hashes"].__setitem__(0, 2**63),
    "facts that lack some": lambda header: header["facts"].pop("sizes"),
    "99 bits of grey": lambda header: header["facts"].update(grey_bits=99),
    "facts that are a list": lambda header: header.update(facts=[1]),
    "bits that are a list": lambda header: header.update(grey_bits=[16]),
}
"""What makes a good header senseless."""

LINES = {
    "a list": b"[1]\n",
    "a number": b"1\n",
    "no JSON": b"{\n",
    "no text": b"\xff\xfe\n",
    "no end of the line": b"{}",
    "lists in lists": b"[" * 100_000 + b"\n",
    "a number of 5,000 digits": b'{"shape": [' + b"9" * 5000 + b"]}\n",
    "nothing": b"",
}
"""Other lines in a header's place."""


def trials(ground: Ground, number: int) -> Iterator[Trial]:
    """Lay out hostile caches of a folder of four images, then files in CIFAR-10's place."""
    cache, command = lay_out_folder(ground.folder)
    good = cache.read_bytes()
    end = good.index(b"\n", HASH_BYTES) + 1
    line, content = good[HASH_BYTES:end], good[end:]

    def sealed(name: str, *parts: bytes) -> Trial:
        cache.write_bytes(seal(*parts))
        return Trial(name, command)

    for name, change in HEADERS.items():
        header = json.loads(line)
        change(header)
        yield sealed(f"header: {name}", json.dumps(header).encode() + b"\n", content)
    for name, other in LINES.items():
        yield sealed(f"line: {name}", other, content)
    for label in (-1, 2, 2**62):
        first = label.to_bytes(8, "little", signed=True)
        yield sealed(f"the label {label}", line, first, content[8:])
    for name, body in {"half": content[:99], "twice": content * 2, "nothing": b""}.items():
        yield sealed(f"content: {name}", line, body)
    for name, place in PLACES.items():
        cache.unlink(missing_ok=True)
        place(cache, good)
        yield Trial(f"the cache is {name}", command)
        remove(cache)
    lock = cache.with_name(f".{cache.name}.lock")
    for name, place in PLACES.items():
        cache.write_bytes(b"damaged")
        lock.unlink(missing_ok=True)
        place(lock, b"")
        yield Trial(f"the lock is {name}", command)
        remove(lock)
    yield from in_place_of_cifar10(ground)
    for index in range(number - 65):
        header = json.loads(line)
        told = mutate(header, ground.dice)
        yield sealed(f"{index}: {told}", json.dumps(header).encode() + b"\n", content)


def lay_out_folder(folder: Path) -> tuple[Path, list[object]]:
    """Return the place of the decoded images of a new folder dataset, and a command that reads it.

    The file that lies there is good.
    """
    from cnn_train.data.dataset import DataAccess
    from cnn_train.data.folder.dataset import FolderConfig

    for index in range(4):
        path = folder / "set" / "train" / ("cat", "dog")[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((16, 16, 3), 60 * index, np.uint8)).save(path)
    FolderConfig(root=folder / "set", image_size=16).load_train(DataAccess(folder / "data"))
    (cache,) = (folder / "data" / "folder-cache").glob("*.bin")
    settings = f"{{name: folder, root: {json.dumps(str(folder / 'set'))}, image_size: 16}}"
    config = folder / "config.yaml"
    config.write_text(f"data: {settings}\nmodel: {{name: linear}}\nbatch_size: 2\nepochs: 1\n")
    return cache, ["fit", "--dry-run", "--config", config, "--data-dir", folder / "data"]


def seal(*parts: bytes) -> bytes:
    """Return a file of these parts whose hash is right."""
    return sha256(b"".join(parts)).hexdigest().encode() + b"".join(parts)


def mutate(header: dict[str, Any], dice: random.Random) -> str:
    """Give one place of a header an odd value, and say which."""
    name = dice.choice(sorted(header))
    value = dice.choice(ODD_VALUES)
    place: Any = header[name]
    if isinstance(place, list | dict) and place and dice.random() < 0.6:
        key = dice.choice(sorted(place) if isinstance(place, dict) else range(len(place)))
        place[key] = value
        return f"{name}, {key} = {ascii(value)[:20]}"
    header[name] = value
    return f"{name} = {ascii(value)[:20]}"


def remove(path: Path) -> None:
    """Remove a file, a link or an empty folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def make_hole(path: Path, start: bytes, num_bytes: int = 60 * 10**9) -> None:
    """Write a file of so many bytes, of which only the first take space on the disk."""
    path.write_bytes(start)
    os.truncate(path, num_bytes)


PLACES: dict[str, Callable[[Path, bytes], object]] = {
    "a pipe": lambda path, good: os.mkfifo(path),
    "a device": lambda path, good: path.symlink_to("/dev/zero"),
    "a folder": lambda path, good: path.mkdir(),
    "a link to itself": lambda path, good: path.symlink_to(path.name),
    "a link to nothing": lambda path, good: path.symlink_to("nowhere"),
    "60 GB of nothing": lambda path, good: make_hole(path, b""),
    "60 GB after a good start": lambda path, good: make_hole(path, good),
    "4 GB without a header's end": lambda path, good: make_hole(path, good[:99], 4 * 10**9),
}
"""What may lie where a file is expected."""


def in_place_of_cifar10(ground: Ground) -> Iterator[Trial]:
    """Lay out what is no batch file, archive or harder test, where one is expected."""
    batches = ground.folder / "cifar" / "cifar-10-batches-bin"
    batches.mkdir(parents=True)
    archive = ground.folder / "packed" / "cifar-10-python.tar.gz"
    archive.parent.mkdir()
    fog = ground.folder / "harder" / "fog.npy"
    fog.parent.mkdir()
    np.save(fog.with_name("labels.npy"), np.zeros(5, np.int64))
    for batch in ("data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"):
        (batches / batch).write_bytes(b"damaged")
    show = ["data", "show", "--offline", "--out", ground.folder / "out.png", "--data-dir"]
    for name, place in PLACES.items():
        place(batches / "data_batch_1.bin", b"\0" * 99)
        yield Trial(f"a batch file is {name}", [*show, batches.parent])
        remove(batches / "data_batch_1.bin")
        place(archive, b"\x1f\x8b\x08" + b"\0" * 99)
        yield Trial(f"the archive is {name}", [*show, archive.parent])
        remove(archive)
        place(fog, b"\x93NUMPY\x01\x00" + b"\0" * 99)
        yield Trial(
            f"a harder test is {name}", ["evaluate", ground.run, "--corruptions", fog.parent]
        )
        remove(fog)
