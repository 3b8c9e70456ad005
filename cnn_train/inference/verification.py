"""Prove an import: compare a model's scores with those that another program computed.

Shape letters: N images, C channels, H W pixels, K classes.
"""

import csv
import io
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.images.decoding import decode_batches
from ..errors import CheckpointError, CnnTrainError, DataError, counted, in_one_line
from ..machine.regular_file import read_regular
from .trained_model import TrainedModel

TOLERANCE = 1e-3
"""Largest difference, as a share of the largest score: far above rounding, far below a change."""

TIE = 1e-4
"""Two scores closer than this share of the largest have no order: rounding decides.

With random weights, the zoo's scores in float32 were up to 6e-6 apart between PyTorch and
onnxruntime, and between two sizes of minibatch in PyTorch itself.
"""

MOST_BYTES = 50_000_000  # of arrays and images: 16,000 of 32 pixels; text takes more memory


@dataclass(frozen=True)
class Agreement:
    """How alike two programs score the same images.

    largest_score: of the reference. same_class: images with the same best class. num_ties: images
    with another one, where the reference's two best scores are a tie, see TIE.
    """

    num_images: int
    largest_difference: float
    largest_score: float
    same_class: int
    num_ties: int

    @classmethod
    def of(cls, reference_NK: Tensor, scores_NK: Tensor) -> "Agreement":
        """Compare scores of the same images in the same order."""
        largest = reference_NK.abs().max().item()
        other_N = reference_NK.argmax(1) != scores_NK.argmax(1)
        best_N2 = reference_NK.topk(min(2, reference_NK.shape[1])).values
        tied_N = best_N2[:, 0] - best_N2[:, -1] <= TIE * largest
        return cls(
            num_images=len(scores_NK),
            largest_difference=(scores_NK - reference_NK).abs().max().item(),
            largest_score=largest,
            same_class=int((~other_N).sum()),
            num_ties=int((other_N & tied_N).sum()),
        )

    @property
    def is_close(self) -> bool:
        """Whether the scores differ by rounding at most; never where one is NaN."""
        return self.largest_difference <= TOLERANCE * self.largest_score

    @property
    def is_same(self) -> bool:
        """Whether also every image has the same class, but for ties."""
        return self.is_close and self.same_class + self.num_ties == self.num_images

    def __str__(self) -> str:
        return (
            f"they differ by up to {self.largest_difference:.3g}, where the largest is "
            f"{self.largest_score:.3g}, and the best class is the same for {self.same_class} of "
            f"{counted(self.num_images, 'image')}"
        )


def verify_scores(trained: TrainedModel, path: Path) -> dict[str, float]:
    """Compare in float32 with a file of ``scores`` and of ``images`` (uint8) or ``paths``.

    A .npz or .json file holds both by name; a .csv file has a path and its scores in each row.
    Paths start at the file's folder. Returns how far the scores differ. Raises DataError where the
    file or an image is of no use, CheckpointError where the scores are others.
    """
    try:
        parts = _read(path)
        number = max(len(parts["scores"]), len(parts.get("paths", ())))
        if number * math.prod(trained.image_shape) > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES / 1e6:g} MB of images")
        theirs_NK = torch.from_numpy(np.asarray(parts["scores"], dtype=np.float64))
        images_NCHW = _load_images(parts, trained, path.parent)
    except CnnTrainError:
        raise
    except Exception as problem:  # of zip, zlib, numpy, json, csv: each has its own
        raise DataError(
            f"{path}: no file of scores ({in_one_line(problem)}); it needs scores, and images or "
            "paths, as .npz, .json or .csv"
        ) from None
    expected = (len(images_NCHW), len(trained.class_names))
    if not expected[0] or theirs_NK.shape != expected or not theirs_NK.isfinite().all():
        raise DataError(f"{path}: scores are not {expected[0]} × {expected[1]} finite numbers")
    ours_NK = trained.in_float32().scores(images_NCHW).double()
    found = Agreement.of(theirs_NK, ours_NK)
    if not found.is_close:
        raise CheckpointError(
            f"{path}: the imported network gives other scores (before softmax): {found}"
        )
    return asdict(found)


def _read(path: Path) -> dict[str, Any]:
    if path.suffix == ".npz":
        with np.load(io.BytesIO(read_regular(path, MOST_BYTES)), allow_pickle=False) as arrays:
            if sum(member.file_size for member in arrays.zip.infolist()) > MOST_BYTES:
                raise ValueError(f"more than {MOST_BYTES / 1e6:g} MB when unpacked")
            return dict(arrays)
    text = read_regular(path, MOST_BYTES // 20).decode()
    if path.suffix == ".json":
        return dict(json.loads(text))
    rows = [row for row in csv.reader(text.splitlines()) if row]
    return {"paths": [row[0] for row in rows], "scores": [row[1:] for row in rows]}


def _load_images(parts: dict[str, Any], trained: TrainedModel, folder: Path) -> Tensor:
    """Return images NCHW: given as NHWC or NCHW of the network's size, or read as predict does."""
    if "images" not in parts:
        files = [folder / str(name) for name in parts["paths"]]
        batches = list(decode_batches(files, trained.reading(), len(files), num_ahead=0))
        if errors := [error.message for batch in batches for error in batch.errors]:
            raise DataError(errors[0])
        return torch.from_numpy(batches[0].pixels_BCHW)
    given = parts["images"]  # a list's own type may be text, as wide as the longest item
    images = torch.from_numpy(np.asarray(given, None if hasattr(given, "dtype") else np.float64))
    bytes_NCHW = images if images.shape[1:] == trained.image_shape else images.movedim(-1, 1)
    if bytes_NCHW.shape[1:] != trained.image_shape or not (images == images.byte()).all():
        raise ValueError(f"images are not numbers 0 to 255 of shape {trained.image_shape}")
    return bytes_NCHW.byte().contiguous()
