"""Reading a folder of small JPEG files: the first start decodes, the second reads its cache."""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median

from PIL import Image

from cnn_train.data.dataset import DataAccess
from cnn_train.data.folder.dataset import FolderConfig

from .bench import Bench
from .measuring import Spread, take_turns
from .rows import Row, compare_speeds
from .sample_images import write_jpegs

PART = "decode"
NUM_FILES, QUICK_NUM_FILES = 10_000, 500


def decode_rows(bench: Bench) -> Iterator[Row]:
    """Compare the first and the second start with Pillow in a single thread."""
    root = bench.data_root
    if root is None:
        root = bench.scratch / "folder"
        write_jpegs(root / "train", QUICK_NUM_FILES if bench.quick else NUM_FILES)
    files = sorted((root / "train").glob("*/*"))
    cache = bench.scratch / "decoded"
    cores_used: list[float] = []

    def load() -> float:
        started = time.perf_counter()
        FolderConfig(root=root).load_train(DataAccess(cache, offline=True))
        return time.perf_counter() - started

    def decode() -> float:
        shutil.rmtree(cache, ignore_errors=True)
        cpu_before = _cpu_seconds()
        seconds = load()
        cores_used.append((_cpu_seconds() - cpu_before) / seconds)
        return seconds

    samples = take_turns(
        {"first": decode, "second": load, "plain": partial(decode_plainly, files)},
        bench.repeats,
        warm_up=bench.data_root is None,
    )
    speed = {who: [len(files) / s for s in seconds] for who, seconds in samples.items()}
    cores = Spread.of(cores_used)
    yield compare_speeds(
        PART, f"first start, {len(files):,} JPEG files", "images/s", speed["first"], speed["plain"],
        note="plain: Pillow opens, decodes and forgets, one thread",
    )  # fmt: skip
    yield Row(PART, "cores used", "", cores, note=f"of {os.cpu_count()}; CPU time ÷ wall clock")
    yield compare_speeds(
        PART, "second start, from the cache", "images/s", speed["second"], speed["plain"],
        note=f"{median(samples['second']):.2f} s in all",
    )  # fmt: skip


def decode_plainly(files: Sequence[Path]) -> float:
    """Decode one file after the other and keep nothing; return the seconds."""
    started = time.perf_counter()
    for file in files:
        with Image.open(file) as image:
            image.convert("RGB")
    return time.perf_counter() - started


def _cpu_seconds() -> float:
    """Return the CPU time of this process and of the children that it waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
