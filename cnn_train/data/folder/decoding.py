"""Decode many image files into one tensor, on all cores, in the files' order.

Pillow releases the interpreter's lock while it decodes and scales, so threads are enough for
photographs. Small images spend most of their time in Python: many of them get processes.

Shape letters: N images, C channels, H W pixels.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import MAX_NAMED, DataError, ResourceError, in_one_line
from ...machine.cores import count_workers
from ..dataset import Advance, DataAccess
from ..images.files import load_image, resize_and_crop
from ..images.quiet_pillow import quiet_pillow
from .processes import DecodingProcesses
from .worker import FAILURES, NOTICES

FILES_PER_TASK = 16
FILES_PER_REQUEST = 64  # fewer, and the processes would wait for their next request
LEAST_FILES_FOR_PROCESSES = 4_000  # they take a quarter of a second to start

Remarks = list[str]
Work = Callable[[range], int]


def decode_files(
    paths: Sequence[Path], size_px: int, description: str, access: DataAccess
) -> Tensor:
    """Decode every file to ``size_px`` × ``size_px`` and return them as uint8 NCHW.

    All files are tried; then DataError names those that failed, and a notice what is unusual
    about others. Raises ResourceError where the images do not fit into memory.
    """
    images_NCHW = _allocate(len(paths), size_px)
    failures: Remarks = []
    notices: Remarks = []
    with access.progress(description, len(paths)) as advance:
        if not _decode_in_processes(paths, images_NCHW, failures, notices, advance):
            _decode_in_threads(paths, images_NCHW, failures, notices, advance)
    if failures:
        raise DataError(
            f"{len(failures)} of {len(paths)} files are not usable images; "
            f"replace or remove them:\n{_list_some(failures)}"
        )
    if notices:
        access.notice(f"about some images:\n{_list_some(notices)}")
    return torch.from_numpy(images_NCHW)


def _allocate(num_images: int, size_px: int) -> NDArray[np.uint8]:
    try:
        return np.empty((num_images, 3, size_px, size_px), dtype=np.uint8)
    except MemoryError as problem:
        gigabytes = num_images * 3 * size_px**2 / 1e9
        raise ResourceError(
            f"{num_images} images of {size_px} × {size_px} pixels need {gigabytes:.1f} GB of "
            "memory; lower data.image_size"
        ) from problem


def _decode_in_processes(
    paths: Sequence[Path],
    images_NCHW: NDArray[np.uint8],
    failures: Remarks,
    notices: Remarks,
    advance: Advance,
) -> bool:
    """Decode in one process per core; False where that does not pay or is not possible."""
    num_processes = count_workers()
    if num_processes == 1 or len(paths) < LEAST_FILES_FOR_PROCESSES:
        return False

    def decode_some(indices: range) -> int:
        chosen = slice(indices.start, indices.stop)
        remarks = processes.decode(paths[chosen], images_NCHW[chosen])
        failures.extend(remarks[FAILURES])
        notices.extend(remarks[NOTICES])
        return len(indices)

    with DecodingProcesses(images_NCHW.shape[-1]) as processes:
        if not processes.start(num_processes):
            return False
        tasks = _tasks(len(paths), FILES_PER_REQUEST)
        _run_on_all_cores(decode_some, tasks, advance, abort=processes.kill)
    return True


def _decode_in_threads(
    paths: Sequence[Path],
    images_NCHW: NDArray[np.uint8],
    failures: Remarks,
    notices: Remarks,
    advance: Advance,
) -> None:
    size_px, stopped = images_NCHW.shape[-1], Event()

    def decode_some(indices: range) -> int:
        for i in indices:
            if stopped.is_set():
                break
            try:
                image = load_image(paths[i])
            except DataError as problem:
                failures.append(str(problem))
                continue
            images_NCHW[i] = resize_and_crop(image.pixels_HWC, size_px).transpose(2, 0, 1)
            notices.extend(f"{paths[i]}: {notice}" for notice in image.notices)
        return len(indices)

    with quiet_pillow:
        tasks = _tasks(len(paths), FILES_PER_TASK)
        _run_on_all_cores(decode_some, tasks, advance, abort=stopped.set)


def _tasks(num_files: int, files_per_task: int) -> Iterator[range]:
    for start in range(0, num_files, files_per_task):
        yield range(start, min(start + files_per_task, num_files))


def _run_on_all_cores(
    work: Work,
    tasks: Iterable[range],
    advance: Advance,
    abort: Callable[[], object] = lambda: None,
) -> None:
    """Run every task and report its progress.

    On an error or a signal, ``abort`` those that run and drop those not yet begun.
    """
    threads = ThreadPoolExecutor(count_workers())
    try:
        for num_done in threads.map(work, tasks):
            advance(num_done)
    except BaseException:
        abort()
        raise
    finally:
        threads.shutdown(cancel_futures=True)


def _list_some(remarks: Remarks) -> str:
    """Return the first remarks, one to a line and sorted, and the number of the others."""
    lines = [f"  {in_one_line(remark)}" for remark in sorted(remarks)[:MAX_NAMED]]
    others = len(remarks) - MAX_NAMED
    return "\n".join([*lines, f"  and {others} others"] if others > 0 else lines)
