"""Small files that claim or unfold to enormous things, and files that never end."""

import io
import json
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from . import Ground, Trial
from .sealing import doubled, read_fields, repacked, sealed, torch_zip

GIGABYTE = 10**9


def trials(ground: Ground, number: int) -> Iterator[Trial]:
    """Give each of them to all that read files of weights, and files without end to the rest."""
    good = read_fields(ground.run / "best.ckpt")
    config = ground.run / "config.yaml"
    i = 0
    while i == 0 or i < number:
        for what, make in MAKERS.items():
            path = ground.folder / f"{i}" / "last.ckpt"
            path.parent.mkdir()
            make(ground, dict(good), path)
            commands: list[list[object]] = [
                ["checkpoint", "show", path, "--json"],
                ["checkpoint", "import", path, "--config", config, "--force", "--out",
                 path.with_name("out.ckpt")],
                ["checkpoint", "verify", path.parent],
                ["predict", path, "--checkpoint", path],
                ["fit", "--resume", path, "--dry-run"],
                ["fit", "--config", config, "--weights", path, "--dry-run"],
                ["config", "check", path],
            ]  # fmt: skip
            for command in ground.dice.sample(commands, 3):
                yield Trial(f"{i} {what}: {command[0]} {command[1]}", command)
                i += 1
            path.unlink()


def _sealed(ground: Ground, fields: Any, path: Path) -> None:
    """Write a checkpoint of ours, or the same without its footer, for whoever imports it."""
    content = torch_zip(fields)
    path.write_bytes(sealed(content) if ground.dice.random() < 0.7 else content)


def _tuples(ground: Ground, fields: dict[str, Any], path: Path) -> None:
    place = ground.dice.choice(["config", "class_names", "environment", "model", "records"])
    _sealed(ground, fields | {place: doubled(tuple, ground.dice.randint(20, 60))}, path)


def _lists(ground: Ground, fields: dict[str, Any], path: Path) -> None:
    tree = {"a": doubled(list, ground.dice.randint(20, 60))}
    place = ground.dice.choice(["config", "class_names", "environment", "model", "records"])
    _sealed(ground, fields | {place: tree}, path)


def _tuple_keys(ground: Ground, fields: dict[str, Any], path: Path) -> None:
    """Write the pickle by hand: Python itself would hash the key, and never end."""
    times = ground.dice.randint(25, 60)
    pickled = b"\x80\x02}(" + b"X\x01\x00\x00\x00a\x85q\x00"
    pickled += b"h\x00h\x00\x86q\x00" * times + b"K\x01u."
    content = repacked(torch_zip({}), zipfile.ZIP_STORED, pickled)
    path.write_bytes(sealed(content) if ground.dice.random() < 0.7 else content)


def _many_names(ground: Ground, fields: dict[str, Any], path: Path) -> None:
    number = ground.dice.choice([10**5, 10**6, 3 * 10**6])
    _sealed(ground, fields | {"class_names": ["a"] * number}, path)


def _huge_weights(ground: Ground, fields: dict[str, Any], path: Path) -> None:
    weights = {name: torch.zeros(1).expand(2**31) for name in fields["model"]}
    _sealed(ground, fields | {"model": weights}, path)


def _overlapping(ground: Ground, fields: dict[str, Any], path: Path) -> None:
    storage = torch.zeros(10**6)
    weights = {f"layer{i}.weight": storage[:] for i in range(2000)}
    _sealed(ground, fields | {"model": weights}, path)


def _large_model(ground: Ground, fields: dict[str, Any], path: Path) -> None:
    model = ground.dice.choice([
        {"name": "torchvision", "architecture": "regnet_y_128gf"},
        {"name": "wide_resnet", "depth": 1996, "width": 60000},
        {"name": "mlp", "hidden_sizes": [65536] * 2000},
        {"name": "densenet121", "growth": 65536}, {"name": "vgg19", "width": 65536},
    ])  # fmt: skip
    _sealed(ground, fields | {"config": fields["config"] | {"model": model}}, path)


def _inflated(ground: Ground, fields: dict[str, Any], path: Path) -> None:
    """Pack a gigabyte of zeros into a megabyte, as one weight or as the structure."""
    with (
        zipfile.ZipFile(io.BytesIO(torch_zip({"a": torch.zeros(4)}))) as good,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as written,
    ):
        target = ground.dice.choice(["data/0", "data.pkl"])
        for part in good.infolist():
            with written.open(part.filename, "w") as file:
                file.write(good.read(part))
                for _ in range(200 if part.filename.endswith(target) else 0):
                    file.write(bytes(10**6))
    path.write_bytes(sealed(path.read_bytes()))


def _sparse(start: bytes, end: bytes) -> Callable[[Ground, dict[str, Any], Path], None]:
    """Return how to write a file of many gigabytes that holds a few bytes at both its ends."""

    def make(ground: Ground, fields: dict[str, Any], path: Path) -> None:
        with path.open("wb") as file:
            file.write(start)
            file.truncate(ground.dice.choice([4, 60, 9000]) * GIGABYTE)
            file.seek(0, os.SEEK_END)
            file.write(end)

    return make


def _safetensors(ground: Ground, fields: dict[str, Any], path: Path) -> None:
    header = json.dumps(
        {"a": {"dtype": "F32", "shape": [2**31], "data_offsets": [0, 2**33]}}
    ).encode()
    size = ground.dice.choice([len(header), 2**40, 10**8])
    path.write_bytes(struct.pack("<Q", size) + header)


def _link(target: str) -> Callable[[Ground, dict[str, Any], Path], None]:
    return lambda ground, fields, path: path.symlink_to(target)


MAKERS: dict[str, Callable[[Ground, dict[str, Any], Path], None]] = {
    "tuples that double": _tuples,
    "lists that double": _lists,
    "a key that doubles": _tuple_keys,
    "a million class names": _many_names,
    "weights of 2³¹ values": _huge_weights,
    "weights that overlap": _overlapping,
    "a model larger than the file": _large_model,
    "a compressed zip": _inflated,
    "gigabytes of text": _sparse(b"epochs: 3\n" * 500, b"\n"),
    "gigabytes between a zip's start and none of its end": _sparse(b"PK\x03\x04", b"\n"),
    "gigabytes after a pickle's start": _sparse(b"\x80\x02}q\x00.", b""),
    "safetensors that claim gigabytes": _safetensors,
    "zeros without end": _link("/dev/zero"),
    "noise without end": _link("/dev/urandom"),
    "a pipe": lambda ground, fields, path: os.mkfifo(path),
}
