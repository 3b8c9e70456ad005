"""Run folders that were torn, mixed up or laid out to mislead, and odd configs and scores."""

import os
import random
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import count, cycle
from pathlib import Path
from shutil import copytree

import numpy as np

from cnn_train.checkpoints.checkpoint import load_checkpoint
from cnn_train.checkpoints.exporting import export_weights

from . import Ground, Trial


def _make_huge(path: Path) -> None:
    """Make a file of 100 GB, which takes no space."""
    with path.open("wb") as file:
        file.truncate(10**11)


THINGS: dict[str, Callable[[Path], object]] = {
    "folder": lambda path: path.mkdir(),
    "pipe": lambda path: os.mkfifo(path),
    "link to itself": lambda path: path.symlink_to(path.name),
    "link to nothing": lambda path: path.symlink_to("nothing"),
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "empty file": lambda path: path.touch(),
    "100 GB": _make_huge,
}
"""What can have a file's name."""

FILES = ("resolved.yaml", "metrics.jsonl", "config.yaml", "environment.json", "diverged.json",
    "branch.json", "last.ckpt", "best.ckpt", "step-00000002.ckpt", f"step-{'9' * 240}.ckpt",
    ".lock", "learning_curves.png", ".lock-holder", ".left.tmp", "../latest",
    "../a file\nof \x1b[31mtwo lines")  # fmt: skip


COMMANDS: tuple[Callable[[Path], list[object]], ...] = (
    lambda run: ["runs", "--run-root", run.parent],
    lambda run: ["runs", "--run-root", run.parent, "--json"],
    lambda run: ["fit", "--resume", run],
    lambda run: ["evaluate", run],
    lambda run: ["fit", "--resume", run, "--set=epochs=2", "--allow-config-change=epochs"],
    lambda run: ["predict", "absent.png", "--run-root", run.parent],
)

VALUES = ("NaN", "-Infinity", ".nan", ".inf", "1e400", "1e308", "-1", "null", "true", '"1"', "[]",
    "{}", "[1, 2]", "{a: 1}", '{"a": 1}', "9" * 400, "1" + "0" * 5000, "[" * 50_000, "*a",
    '{"a":' * 50_000, "!!python/name:os.system", "\0", "\x1b[2J", '"\\ud800"', "é",
    "x" * 50_000, "")  # fmt: skip

METRICS: dict[str, bytes] = {
    "torn": b'{"epoch": 0, "val_acc',
    "zeros": bytes(1000),
    "number": b"3\n",
    "list": b"[1]\n",
    "no epoch": b'{"val_accuracy": 0.5, "seconds": 1}\n',
    "no seconds": b'{"epoch": 0, "val_accuracy": 0.5, "best_epoch": 0}\n',
    "best epoch of none": b'{"epoch": 0, "seconds": 1, "best_epoch": 9}\n',
    "endless epoch": b'{"epoch": 1e308, "seconds": 1, "best_epoch": 1e308, "val_accuracy": 0}\n',
    "too long": b'{"epoch": 0, "val_accuracy": 0.5, "seconds": 1e308}\n' * 3,
    "braces": b"{}\n" * 3_300_000,
    "not UTF-8": b'{"\xff": 1}\n',
    "a record in the middle of another": b'{"epoch": {"epoch": 0}}\n{"epoch": 1}\n',
}

SETTINGS: dict[str, bytes] = {
    "list": b"- 1\n",
    "number": b"3\n",
    "sections that are numbers": b"model: 1\nloss: 2\ndata: 3\noptimizer: 4\nepochs: 5\n",
    "sections that are lists": b"model: [name]\nloss: [name]\ndata: []\noptimizer: [lr]\n",
    "no sections": b"epochs: 3\nseed: 1\nbatch_size: 3\n",
    "UTF-16": "model: {name: lenet}".encode("utf-16"),
    "aliases": b"a: &a [x]\nb: [*a, *a]\n",
}


def trials(ground: Ground, number: int) -> Iterator[Trial]:
    """Yield the laid out, then run folders with values changed by chance."""
    yield from _odd_configs(ground.folder / "configs")
    yield from _odd_scores(ground)
    commands, lists, dice = cycle(COMMANDS), cycle(COMMANDS[:2]), ground.dice
    runs = (_lay_out(ground, place) for place in count())
    for name, contents in (("metrics.jsonl", METRICS), ("resolved.yaml", SETTINGS)):
        for what, content in contents.items():
            run = next(runs)
            _replace(run / name, content)
            yield Trial(f"{name}: {what}", next(lists)(run))
    run = next(runs)
    for place in range(2_000):
        (run.parent / f"{place}").mkdir()
    yield Trial("2,000 folders", COMMANDS[0](run))
    run = next(runs)
    _replace(run.parent / "latest", None)
    THINGS["link to itself"](run.parent / "latest")
    for command in (
        ["fit", "--resume", run.parent / "latest"],
        ["predict", "x", "--run-root", run.parent],
    ):
        yield Trial(f"latest is a link to itself, {command[0]}", command)
    odd = [(thing, name) for thing in THINGS for name in FILES]
    for thing, name in dice.sample(odd, min(number // 2, len(odd))):
        if thing in ("100 GB", "empty file") and name.endswith(".ckpt"):
            continue  # what a checkpoint holds is for others to try
        run = next(runs)
        _replace(run / name, None)
        THINGS[thing](run / name)
        yield Trial(f"{name}: {thing}", next(commands)(run))
    for place in range(number // 3):
        run = next(runs)
        name = dice.choice(["metrics.jsonl", "resolved.yaml"])
        _replace(run / name, mutate((run / name).read_bytes(), dice))
        yield Trial(f"{name}, changed {place}", next(commands)(run))


def mutate(content: bytes, dice: random.Random) -> bytes:
    """Put other values after a colon, repeat or lose lines, or change bytes."""
    for _ in range(dice.randint(1, 3)):
        lines = content.split(b"\n")
        place = dice.randrange(len(lines))
        how = dice.randrange(4)
        if how < 2 and (parts := lines[place].split(b": ")) and len(parts) > 1:
            part = dice.randrange(1, len(parts))
            _, comma, rest = parts[part].partition(b",")
            parts[part] = dice.choice(VALUES).encode() + comma + rest
            lines[place] = b": ".join(parts)
        elif how == 2:
            lines[place : place + 1] = [lines[place]] * dice.choice([0, 2, 50])
        else:
            cut = dice.randrange(len(lines[place]) + 1)
            lines[place] = lines[place][:cut] + dice.randbytes(2) + lines[place][cut + 2 :]
        content = b"\n".join(lines)
    return content


def _lay_out(ground: Ground, place: int) -> Path:
    """Make a root with a run that is as it should be, and one to spoil, which is the latest."""
    root = ground.folder / f"root{place}"
    for name in ("good-20260101-000000-0000", "spoilt-20260101-000000-0001"):
        run = root / name
        copytree(ground.run, run, copy_function=os.link)
    (root / "latest").symlink_to(run)
    return run


def _replace(path: Path, content: bytes | None) -> None:
    """Give a path other content, not that of the other names of its file; None: remove it."""
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)


def _odd_configs(folder: Path) -> Iterator[Trial]:
    folder.mkdir()
    for name, make in THINGS.items():
        path = folder / f"{name}.yaml"
        make(path)
        yield Trial(f"config: {name}", ["config", "check", path])


def _odd_scores(ground: Ground) -> Iterator[Trial]:
    weights = ground.folder / "weights.safetensors"
    export_weights(load_checkpoint(ground.run / "best.ckpt"), weights)
    command = ["checkpoint", "import", weights, "--out", ground.folder / "out.ckpt", "--verify"]
    for (name, make), suffix in zip(THINGS.items(), cycle(("npz", "json", "csv")), strict=False):
        path = ground.folder / f"{name}.{suffix}"
        make(path)
        yield Trial(f"scores: {path.name}", [*command, path])
    for name, content in _senseless_scores().items():
        path = ground.folder / name
        path.write_bytes(content)
        yield Trial(f"scores: {name}", [*command, path])


def _senseless_scores() -> dict[str, bytes]:
    image = b'"images": [[[' + b"[0,0,0]," * 255 + b"[0,0,0]]]]"
    return {
        "deep.json": b"[" * 100_000,
        "deep scores.json": b'{"scores": ' + b"[" * 100_000,
        "nan.json": b'{"scores": [[NaN,1e400,1]], %s}' % image,
        "object.json": b'{"scores": [[{}]], "images": {"a": 1}}',
        "wide.json": b'{"scores": [[1]], "images": ["%s"%s]}' % (b"a" * 10**6, b',"b"' * 350_000),
        "many.json": b'{"scores": [[1]], "paths": [%s1]}' % (b"1," * 1_200_000),
        "long field.csv": b"a," + b"1" * 200_000 + b"\n",
        "rows.csv": b"a,1,1,1\n" * 300_000,
        "empty rows.csv": b"ab\n" * 800_000,
        "bytes.csv": random.Random(0).randbytes(10_000),
        "60 GB.npz": _archive(_header("<f8", (7_500_000_000,))),
        "more than there is.npz": _archive(_header("<f8", (10**18,))),
        "nothing often.npz": _archive(_header("|V0", (10**18,))),
        "negative.npz": _archive(_header("<f8", (-1, -1))),
        "object.npz": _archive(_header("|O", (1,))),
        "deep header.npz": _archive(_npy(b"-" * 9_000 + b"1")),
        "brackets.npz": _archive(_npy(b"(" * 9_000)),
        "complex.npz": _archive(_header("<c16", (1, 10)) + bytes(160)),
        "dates.npz": _archive(_header("<M8[s]", (1, 10)) + bytes(80)),
        "zeros.npz": _archive(_header("|u1", (10**8,)) + bytes(10**8)),
        "49 MB.npz": _archive(_header("|u1", (24 * 10**6,)) + bytes(24 * 10**6)),
        "locked.npz": _archive(b"x").replace(b"\x14\x03\x14\0\0\0", b"\x14\x03\x14\0\1\0"),
        "unknown packing.npz": _archive(b"x").replace(b"\x08\0", b"\x63\0"),
        "array.npz": _header("<f8", (10**18,)),
    }  # fmt: skip


def _archive(array: bytes) -> bytes:
    """Return a zip whose arrays are all these bytes."""
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in ("scores", "images"):
            archive.writestr(f"{name}.npy", array)
    return file.getvalue()


def _header(dtype: str, shape: tuple[int, ...]) -> bytes:
    """Return the header of an array that claims to be of a type and a shape."""
    return _npy(repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode())


def _npy(header: bytes) -> bytes:
    return np.lib.format.magic(1, 0) + (len(header) + 1).to_bytes(2, "little") + header + b"\n"
