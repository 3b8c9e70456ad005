"""Decode many image files, on all cores, into batches in the files' order.

Pillow releases the interpreter's lock while it decodes and scales, so threads are enough for
photographs. Small images spend most of their time in Python: many of them get processes.

Shape letters: B images of one batch, C channels, H W pixels.
"""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import CnnTrainError, DataError, ResourceError, in_one_line
from ...machine.cores import count_workers
from ..content import hash_pixels
from .files import load_image
from .paths import UnusableImage
from .processes import SILENT_SECONDS, Submit, worker_processes
from .quiet_pillow import quiet_pillow
from .square import Reading, fit_square, notice_shape

FILES_PER_TASK = 32
SMALL_FILE_BYTES = 8_192
LEAST_FILES_FOR_PROCESSES = 4_000  # they take a quarter of a second to start

Problem = type[CnnTrainError]


@dataclass(frozen=True)
class DecodedBatch:
    """The usable images among some files, in order, and why the other files are not usable.

    pixels_BCHW: uint8. hashes: of each image's pixels before it was scaled. notices: those of each.
    sizes_px: each one's (width, height) as a file, upright. grey_bits: as in ``DecodedImage``.
    """

    paths: list[str]
    pixels_BCHW: NDArray[np.uint8]
    hashes: list[int]
    notices: list[tuple[str, ...]]
    sizes_px: list[tuple[int, int]]
    grey_bits: list[int | None]
    errors: list[UnusableImage]


def decode_batches(
    files: Sequence[Path],
    reading: Reading,
    batch_size: int,
    *,
    num_ahead: int,
    tolerated: tuple[Problem, ...] = (DataError,),
) -> Generator[DecodedBatch]:
    """Yield the files batch by batch, each image as ``reading`` has it; close it when done.

    While the caller works on a batch, ``num_ahead`` are decoded. A file whose problem is
    ``tolerated`` becomes an error of its batch; any other problem is raised. Raises ResourceError
    where a process that decodes is killed or hangs.
    """
    loading: deque[list[Future[DecodedBatch]]] = deque()
    with _decoders(files) as (submit, files_per_task):
        for batch in _cut(files, batch_size):
            tasks = _cut(batch, files_per_task)
            loading.append([submit(decode, task, reading, tolerated) for task in tasks])
            if len(loading) > num_ahead:
                yield _join(loading.popleft())
        while loading:
            yield _join(loading.popleft())


def decode(files: Sequence[Path], reading: Reading, tolerated: tuple[Problem, ...]) -> DecodedBatch:
    """Decode some files in this thread."""
    size_px, fit = reading.size_px, reading.fit
    pixels_BCHW = np.empty((len(files), 3, size_px, size_px), dtype=np.uint8)
    batch = DecodedBatch([], pixels_BCHW, [], [], [], [], [])
    with quiet_pillow:
        for file in files:
            try:
                image = load_image(file, reading.grey_bits)
            except tolerated as problem:
                batch.errors.append(UnusableImage(str(file), in_one_line(problem)))
                continue
            height, width = image.pixels_HWC.shape[:2]
            pixels_HWC = fit_square(image.pixels_HWC, size_px, fit)
            pixels_BCHW[len(batch.paths)] = pixels_HWC.transpose(2, 0, 1)
            batch.paths.append(str(file))
            batch.hashes.append(hash_pixels(image.pixels_HWC))
            batch.notices.append((*image.notices, *notice_shape(image.pixels_HWC, fit)))
            batch.sizes_px.append((width, height))
            batch.grey_bits.append(image.grey_bits)
    return replace(batch, pixels_BCHW=pixels_BCHW[: len(batch.paths)])


@contextmanager
def _decoders(files: Sequence[Path]) -> Iterator[tuple[Submit, int]]:
    """Provide what decodes the files fastest, and how many files to give it at once.

    A thread gets one photograph at a time, because it cannot be stopped in the middle of a task.
    """
    num_workers = count_workers()
    if len(files) >= LEAST_FILES_FOR_PROCESSES and num_workers > 1:
        with worker_processes(num_workers) as submit:
            if submit:
                yield submit, FILES_PER_TASK
                return
    small = _are_small(files)  # small files are read under the interpreter's lock
    threads = ThreadPoolExecutor(1 if small else num_workers)
    try:
        yield threads.submit, FILES_PER_TASK if small else 1
    finally:
        threads.shutdown(cancel_futures=True)


def _are_small(files: Sequence[Path]) -> bool:
    sizes = []
    for file in files[:: 1 + len(files) // FILES_PER_TASK]:
        with suppress(OSError, ValueError):
            sizes.append(file.stat().st_size)
    return sum(sizes) < SMALL_FILE_BYTES * len(sizes)


def _cut(files: Sequence[Path], length: int) -> list[Sequence[Path]]:
    return [files[start : start + length] for start in range(0, len(files), length)]


def _join(tasks: list[Future[DecodedBatch]]) -> DecodedBatch:
    """Wait for the tasks of one batch and join what they decoded."""
    try:
        parts = [task.result(SILENT_SECONDS) for task in tasks]
    except TimeoutError as problem:
        raise ResourceError(
            f"what decodes images has been silent for {SILENT_SECONDS:g} seconds; see whether the "
            "disk that holds the images answers, and start again"
        ) from problem
    return DecodedBatch(
        paths=[path for part in parts for path in part.paths],
        pixels_BCHW=np.concatenate([part.pixels_BCHW for part in parts]),
        hashes=[one for part in parts for one in part.hashes],
        notices=[notices for part in parts for notices in part.notices],
        sizes_px=[size for part in parts for size in part.sizes_px],
        grey_bits=[bits for part in parts for bits in part.grey_bits],
        errors=[error for part in parts for error in part.errors],
    )
