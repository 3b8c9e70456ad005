"""Links that lead nowhere, in circles or twice to one folder; pipes and devices as folders."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from . import Ground, Trial


def link(*pairs: tuple[str, str]) -> Callable[[Path], None]:
    """Return what lays out links, each from one path in a folder to another."""

    def lay_out(folder: Path) -> None:
        for name, target in pairs:
            (folder / name).symlink_to(target)

    return lay_out


def nest(folder: Path, depth: int = 150) -> None:
    """Put so many folders into each other."""
    folder.joinpath(*["d"] * depth).mkdir(parents=True)


LAYOUTS: dict[str, Callable[[Path], object]] = {
    "a class is itself": link(("train/cow", "cow")),
    "two classes in a circle": link(("train/cow", "elk"), ("train/elk", "cow")),
    "a class is its split": link(("train/cow", ".")),
    "a class is the dataset": link(("train/cow", "..")),
    "a class is the whole disk": link(("train/cow", "/")),
    "a class is another": link(("train/cow", "cat")),
    "a class of none": link(("train/cow", "nowhere")),
    "an image is itself": link(("train/cat/a.png", "a.png")),
    "images in a circle": link(("train/cat/a.png", "b.png"), ("train/cat/b.png", "a.png")),
    "an image is of none": link(("train/cat/a.png", "nowhere")),
    "an image is its class": link(("train/cat/a.png", ".")),
    "an image is the dataset": link(("train/cat/a.png", "../..")),
    "an image is a pipe": lambda folder: os.mkfifo(folder / "train/cat/a.png"),
    "an image is a device": link(("train/cat/a.png", "/dev/zero")),
    "a class is a pipe": lambda folder: os.mkfifo(folder / "train/cow"),
    "a split is itself": link(("val", "val")),
    "two splits in a circle": link(("val", "test"), ("test", "val")),
    "a split is the dataset": link(("val", ".")),
    "a split is a pipe": lambda folder: os.mkfifo(folder / "val"),
    "a split is a device": link(("val", "/dev/zero")),
    "two folders in two circles": link(("s1", "."), ("s2", "."), ("train/cat/s3", "../..")),
    "20 links back": link(*((f"s{index}", ".") for index in range(20))),
    "folders without end": nest,
}
"""What a small dataset of two classes is given in addition."""

TOPS: dict[str, Callable[[Path], object]] = {
    "itself": lambda path: path.symlink_to(path.name),
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
}
"""What may lie where the dataset is expected."""


def trials(ground: Ground, number: int) -> Iterator[Trial]:
    """Lay out datasets that lead in circles, as ``fit``, ``data`` and ``predict`` meet them."""
    checkpoint = ground.run
    patterns = ("**/*.png", "**/*", "*/*/*/*/*/*/*/*/*/*.png", "**/**/**/**/*.png", "*/**", "no/**")

    def commands(name: str, folder: Path) -> Iterator[Trial]:
        data = ["--set", "data.name=folder", "--set", f"data.root={folder}"]
        cache = ["--data-dir", folder.parent / "data"]
        yield Trial(f"{name}: verify", ["data", "verify", *data, *cache])
        yield Trial(f"{name}: predict", ["predict", "--checkpoint", checkpoint, folder])

    for index, (name, lay_out) in enumerate(LAYOUTS.items()):
        folder = lay_out_dataset(ground.folder / f"{index}")
        lay_out(folder)
        yield from commands(name, folder)
        for pattern in patterns if "folders" in name or "back" in name else patterns[:1]:
            yield Trial(
                f"{name}: {pattern}", ["predict", "--checkpoint", checkpoint, folder / pattern]
            )
    for name, place in TOPS.items():
        place(ground.folder / name)
        yield from commands(f"the dataset is {name}", ground.folder / name)
    for index in range(number - 95):
        folder = lay_out_dataset(ground.folder / f"random {index}")
        told = link_at_random(folder, ground)
        parts = ground.dice.choices(("*", "**", "s*", "cat"), k=ground.dice.randint(1, 8))
        pattern = "/".join(parts)
        yield Trial(
            f"{index}: {told}: {pattern}",
            ["predict", "--checkpoint", checkpoint, f"{folder}/{pattern}"],
        )


def lay_out_dataset(folder: Path) -> Path:
    """Write two images of two classes."""
    for index, name in enumerate(("cat", "dog")):
        path = folder / "train" / name / "0.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(np.full((16, 16, 3), 90 * index, np.uint8)).save(path)
    return folder


def link_at_random(folder: Path, ground: Ground) -> str:
    """Lay some links between a dataset's folders, and name them."""
    folders = [folder, folder / "train", folder / "train/cat", folder / "train/dog"]
    told = []
    for index in range(ground.dice.randint(1, 6)):
        start, end = ground.dice.choices(folders, k=2)
        (start / f"s{index}").symlink_to(end)
        told.append(f"{start.name} > {end.name}")
    return ", ".join(told)
