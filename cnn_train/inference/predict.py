"""Classify image files of any common kind with a trained model.

Shape letters: B images of one batch, C channels, H W pixels, K classes.
"""

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.batches import evaluation_batch_size
from ..data.dataset import Progress, silent
from ..data.images.files import load_image, resize_and_crop
from ..data.images.paths import UnusableImage, find_images
from ..data.images.quiet_pillow import quiet_pillow
from ..errors import DataError, ResourceError, in_one_line
from ..machine.cores import count_workers
from ..machine.memory_shortage import memory_explained
from ..metrics.statistics import rank_classes
from .trained_model import TrainedModel

FILES_PER_TASK = 32
SMALL_FILE_BYTES = 8_192


@dataclass(frozen=True)
class ClassScore:
    """One class's score for one image; probability is None where scores are no probabilities."""

    label: str
    index: int
    score: float
    probability: float | None


@dataclass(frozen=True)
class Prediction:
    """A model's answer for one file.

    top: the best classes, best first. margin: the best score minus the runner-up's.
    image_CHW: uint8, what the network saw. notices: what had to be decided to read the file.
    """

    path: str
    top: tuple[ClassScore, ...]
    margin: float
    image_CHW: Tensor
    notices: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the entry that ``predict --json`` prints."""
        best = self.top[0]
        return {
            "path": self.path,
            "label": best.label,
            "index": best.index,
            "score": best.score,
            "probability": best.probability,
            "top": [{"label": c.label, "index": c.index, "score": c.score} for c in self.top],
        }


def predict_files(
    trained: TrainedModel,
    paths: Iterable[str | Path],
    *,
    top_k: int = 5,
    batch_size: int = 512,
    progress: Progress = silent,
) -> tuple[list[Prediction], list[UnusableImage]]:
    """Predict the class of every image among ``paths`` (files, folders, glob patterns).

    Returns predictions in the order named, and one entry for each path that yields none: a bad
    file never stops the others. Raises DataError where the model does not take square RGB images,
    ResourceError where a minibatch does not fit into the device's memory.
    """
    side_px = trained.file_side_px()
    found = find_images(paths)
    predictions, errors = [], list(found.errors)
    num_ahead = _num_batches_ahead(trained.device.torch_device)
    batches = _load_batches(found.files, side_px, batch_size, num_ahead)
    description = f"Predicting {len(found.files):,} images"
    with closing(batches), progress(description, len(found.files)) as advance:
        for batch in batches:
            predicted, without_scores = _predict_batch(trained, batch, top_k)
            predictions += predicted
            errors += [*batch.errors, *without_scores]
            advance(len(batch.paths) + len(batch.errors))
    return predictions, errors


@dataclass(frozen=True)
class _Batch:
    """What the network sees of some files; the arrays and lists leave out those with errors."""

    paths: list[str]
    images_BCHW: Tensor
    notices: list[tuple[str, ...]]
    errors: list[UnusableImage]


def _num_batches_ahead(device: torch.device) -> int:
    """Say how many batches to read while the network computes.

    On the CPU it computes on every core: whoever takes one away makes all the others wait.
    """
    return 0 if device.type == "cpu" else 1


def _num_threads(files: Sequence[Path]) -> int:
    """Say how many threads read best: small files are read under the interpreter's lock."""
    sizes = []
    for file in files[:FILES_PER_TASK]:
        with suppress(OSError, ValueError):
            sizes.append(file.stat().st_size)
    small = sum(sizes) < SMALL_FILE_BYTES * len(sizes)
    return 1 if small else count_workers()


def _load_batches(
    files: Sequence[Path], size_px: int, batch_size: int, num_ahead: int
) -> Generator[_Batch]:
    """Yield the files batch by batch; threads read ``num_ahead`` while the caller computes."""
    files_per_task = min(FILES_PER_TASK, batch_size)
    tasks_per_batch = batch_size // files_per_task
    tasks = [files[i : i + files_per_task] for i in range(0, len(files), files_per_task)]
    loading: deque[Future[_Batch]] = deque()
    stopped = Event()
    threads = ThreadPoolExecutor(_num_threads(files))
    try:
        for task in tasks:
            loading.append(threads.submit(_load, task, size_px, stopped))
            if len(loading) == (1 + num_ahead) * tasks_per_batch:
                yield _join_next(loading, tasks_per_batch)
        while loading:
            yield _join_next(loading, tasks_per_batch)
    finally:
        stopped.set()
        threads.shutdown(cancel_futures=True)


def _join_next(loading: "deque[Future[_Batch]]", num_tasks: int) -> _Batch:
    """Wait for the next tasks of ``loading`` and join what they read, in order."""
    parts = [loading.popleft().result() for _ in range(min(num_tasks, len(loading)))]
    return _Batch(
        paths=[path for part in parts for path in part.paths],
        images_BCHW=torch.cat([part.images_BCHW for part in parts]),
        notices=[notices for part in parts for notices in part.notices],
        errors=[error for part in parts for error in part.errors],
    )


def _load(files: Sequence[Path], size_px: int, stopped: Event) -> _Batch:
    pixels_BCHW = np.empty((len(files), 3, size_px, size_px), dtype=np.uint8)
    batch = _Batch([], torch.from_numpy(pixels_BCHW), [], [])
    with quiet_pillow:
        for file in files:
            if stopped.is_set():
                break
            try:
                decoded = load_image(file)
            except (DataError, ResourceError) as problem:
                batch.errors.append(UnusableImage(str(file), in_one_line(problem)))
                continue
            pixels_HWC = resize_and_crop(decoded.pixels_HWC, size_px)
            pixels_BCHW[len(batch.paths)] = pixels_HWC.transpose(2, 0, 1)
            batch.paths.append(str(file))
            batch.notices.append(decoded.notices)
    return replace(batch, images_BCHW=batch.images_BCHW[: len(batch.paths)])


def _predict_batch(
    trained: TrainedModel, batch: _Batch, top_k: int
) -> tuple[list[Prediction], list[UnusableImage]]:
    """Return the predictions, and an entry for each file whose scores are not finite."""
    if not batch.paths:
        return [], []
    size = min(len(batch.paths), evaluation_batch_size(trained.image_shape))
    with memory_explained(trained.device.torch_device, size):
        scores_BK = trained.scores(batch.images_BCHW, batch_size=size)
    finite_B = scores_BK.isfinite().all(dim=1).tolist()
    tops, margins = _rank(trained, scores_BK, top_k)
    rows = zip(batch.paths, tops, margins, batch.images_BCHW, batch.notices, strict=True)
    predictions = [Prediction(*row) for row, finite in zip(rows, finite_B, strict=True) if finite]
    errors = [
        UnusableImage(
            path, in_one_line(f"{path}: the model returned NaN scores; choose another checkpoint")
        )
        for path, finite in zip(batch.paths, finite_B, strict=True)
        if not finite
    ]
    return predictions, errors


def _rank(
    trained: TrainedModel, scores_BK: Tensor, top_k: int
) -> tuple[list[tuple[ClassScore, ...]], list[float]]:
    """Return each image's best classes, best first, and its margin."""
    order_BK = rank_classes(scores_BK)
    ranked_BK = scores_BK.gather(1, order_BK)
    margins_B = ranked_BK[:, 0] - ranked_BK[:, 1]
    probabilities_BK = scores_BK.double().softmax(dim=1).gather(1, order_BK)
    columns = [part[:, :top_k].tolist() for part in (order_BK, ranked_BK, probabilities_BK)]
    names = trained.class_names
    known = trained.config.loss.gives_probabilities
    tops = [
        tuple(
            ClassScore(names[index], index, score, probability if known else None)
            for index, score, probability in zip(*row, strict=True)
        )
        for row in zip(*columns, strict=True)
    ]
    return tops, margins_B.tolist()
