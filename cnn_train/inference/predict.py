"""Classify image files of any common kind with a trained model.

Shape letters: B images of one batch, C channels, H W pixels, K classes.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..data.batches import evaluation_batch_size
from ..data.dataset import Progress, silent
from ..data.images.decoding import DecodedBatch, decode_batches
from ..data.images.paths import UnusableImage, find_images
from ..errors import DataError, ResourceError, counted, in_one_line
from ..machine.memory_shortage import memory_explained
from ..metrics.statistics import rank_classes
from .trained_model import TrainedModel


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
        return {
            "path": self.path,
            **asdict(self.top[0]),
            "margin": self.margin,
            "top": [asdict(choice) for choice in self.top],
            "notices": list(self.notices),
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
    reading = trained.reading()
    files, errors = find_images(paths)
    predictions = []
    # On a CPU the network uses every core: reading files at the same time would slow it down.
    num_ahead = 0 if trained.device.torch_device.type == "cpu" else 1
    tolerated = (DataError, ResourceError)
    batches = decode_batches(files, reading, batch_size, num_ahead=num_ahead, tolerated=tolerated)
    with (
        closing(batches),
        progress(f"Predicting {counted(len(files), 'image')}", len(files)) as advance,
    ):
        for batch in batches:
            predicted, without_scores = _predict_batch(trained, batch, top_k)
            predictions += predicted
            errors += [*batch.errors, *without_scores]
            advance(len(batch.files) + len(batch.errors))
    return predictions, errors


def list_answers(
    predictions: Sequence[Prediction], errors: Sequence[UnusableImage]
) -> Iterator[tuple[object, ...]]:
    """Yield the rows of ``predict --csv``: a header, the answers, and the files without one."""
    rivals = range(2, 1 + max((len(prediction.top) for prediction in predictions), default=1))
    names = [f"{name} {rank}" for rank in rivals for name in ("class", "probability", "score")]
    yield ("path", "predicted", "probability", "score", "margin", *names, "error")
    for prediction in predictions:
        best, *others = [(c.label, c.probability, c.score) for c in prediction.top]
        cells = (cell for other in others for cell in other)
        yield (Path(prediction.path), *best, prediction.margin, *cells, None)
    for failure in errors:
        yield (Path(failure.path), *[None] * (4 + len(names)), failure.message)


def score_files(trained: TrainedModel, paths: Sequence[str | Path]) -> Tensor:
    """Return scores NK of image files, in order; raises DataError for the first bad one."""
    names = [str(Path(path)) for path in paths]
    predictions, errors = predict_files(trained, names, top_k=len(trained.class_names))
    if errors:
        raise DataError(errors[0].message)
    found = {one.path: {c.index: c.score for c in one.top} for one in predictions}
    for name in names:
        if name not in found:  # a folder, a pattern
            raise DataError(f"{in_one_line(name)}: stands for others; name each image file itself")
    return torch.tensor([[found[name][k] for k in range(len(found[name]))] for name in names])


def _predict_batch(
    trained: TrainedModel, batch: DecodedBatch, top_k: int
) -> tuple[list[Prediction], list[UnusableImage]]:
    """Return the predictions, and an entry for each file whose scores are not finite."""
    if not batch.files:
        return [], []
    images_BCHW = torch.from_numpy(batch.pixels_BCHW)
    size = min(len(batch.files), evaluation_batch_size(trained.image_shape))
    with memory_explained(trained.device.torch_device, size):
        scores_BK = trained.scores(images_BCHW, batch_size=size)
    finite_B = scores_BK.isfinite().all(dim=1).tolist()
    tops, margins = _rank(trained, scores_BK, top_k)
    predictions, errors = [], []
    rows = zip(batch.files, finite_B, tops, margins, images_BCHW, strict=True)
    for file, finite, top, margin, image_CHW in rows:
        if finite:
            predictions.append(Prediction(file.path, top, margin, image_CHW, file.notices))
        else:
            problem = f"{file.path}: the model returned NaN scores; choose another checkpoint"
            errors.append(UnusableImage(file.path, in_one_line(problem)))
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
    known = trained.config.loss.gives_probabilities
    tops = [
        tuple(
            ClassScore(trained.class_names[index], index, score, probability if known else None)
            for index, score, probability in zip(*row, strict=True)
        )
        for row in zip(*columns, strict=True)
    ]
    return tops, margins_B.tolist()
