"""Decode many image files, on all cores, into batches in the files' order.

Pillow releases the interpreter's lock while it decodes and scales, so threads are enough for
photographs. Small images spend most of their time in Python: many of them get processes.

Shape letters: B images of one batch, C channels, H W pixels.
"""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
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
class DecodedFile:
    """What is known of the file of a usable image.

    hash: of the pixels before they were scaled; None: not asked for. size_px: their (width,
    height), upright. notices, grey_bits: as in ``DecodedImage``.
    """

    path: str
    hash: int | None
    size_px: tuple[int, int]
    notices: tuple[str, ...]
    grey_bits: int | None


@dataclass(frozen=True)
class DecodedBatch:
    """The usable images among some files, in order (uint8), and why the others are not usable."""

    files: list[DecodedFile]
    pixels_BCHW: NDArray[np.uint8]
    errors: list[UnusableImage]


def decode_batches(
    files: Sequence[Path],
    reading: Reading,
    batch_size: int,
    *,
    num_ahead: int,
    tolerated: tuple[Problem, ...] = (DataError,),
    hashed: bool = False,
) -> Generator[DecodedBatch]:
    """Yield the files batch by batch, each image as ``reading`` has it; close it when done.

    While the caller works on a batch, ``num_ahead`` are decoded. A file whose problem is
    ``tolerated`` becomes an error of its batch; any other problem is raised. ``hashed``: by what
    to recognise each image is wanted too; it costs a pass over its pixels. Raises ResourceError
    where a process that decodes is killed or hangs.
    """
    loading: deque[list[Future[DecodedBatch]]] = deque()
    with _decoders(files) as (submit, files_per_task):
        for batch in _cut(files, batch_size):
            tasks = _cut(batch, files_per_task)
            loading.append([submit(decode, task, reading, tolerated, hashed) for task in tasks])
            if len(loading) > num_ahead:
                yield _join(loading.popleft())
        while loading:
            yield _join(loading.popleft())


def decode(
    files: Sequence[Path], reading: Reading, tolerated: tuple[Problem, ...], hashed: bool
) -> DecodedBatch:
    """Decode some files in this thread."""
    size_px, fit = reading.size_px, reading.fit
    pixels_BCHW = np.empty((len(files), 3, size_px, size_px), dtype=np.uint8)
    decoded: list[DecodedFile] = []
    errors: list[UnusableImage] = []
    with quiet_pillow:
        for file in files:
            try:
                image = load_image(file, reading.grey_bits)
            except tolerated as problem:
                errors.append(UnusableImage(str(file), in_one_line(problem)))
                continue
            pixels_HWC = image.pixels_HWC
            height, width = pixels_HWC.shape[:2]
            pixels_BCHW[len(decoded)] = fit_square(pixels_HWC, size_px, fit).transpose(2, 0, 1)
            notices = (*image.notices, *notice_shape(pixels_HWC, fit))
            content = hash_pixels(pixels_HWC) if hashed else None
            decoded.append(
                DecodedFile(str(file), content, (width, height), notices, image.grey_bits)
            )
            del image, pixels_HWC  # up to 150 MB, before the next is decoded
    return DecodedBatch(decoded, pixels_BCHW[: len(decoded)], errors)


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
    try:
        parts = [task.result(SILENT_SECONDS) for task in tasks]
    except TimeoutError as problem:
        raise ResourceError(
            f"what decodes images has been silent for {SILENT_SECONDS:g} seconds; see whether the "
            "disk that holds the images answers, and start again"
        ) from problem
    return DecodedBatch(
        [file for part in parts for file in part.files],
        np.concatenate([part.pixels_BCHW for part in parts]),
        [error for part in parts for error in part.errors],
    )
