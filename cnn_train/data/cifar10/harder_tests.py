"""Test images made to be harder than CIFAR-10's own, in the layouts in which they are published.

CIFAR-10-C (Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common
Corruptions and Perturbations", 2019): a file per corruption, ``fog.npy``, with the test images at
severity 1, then all of them at 2, …, 5; ``labels.npy``. CIFAR-10.1 (Recht et al., "Do CIFAR-10
Classifiers Generalize to CIFAR-10?", 2018): ``cifar10.1_v6_data.npy`` and ``…_labels.npy``.

Shape letters: N examples, H W pixels, C channels.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import DataError
from ...machine.regular_file import open_regular
from ..image_set import ImageSet
from .batch_files import IMAGE_SHAPE
from .releases import CLASS_NAMES

NUM_SEVERITIES = 5
LABELS = "labels.npy"
NEW_TEST_DATA = "cifar10.1_*_data.npy"


@dataclass(frozen=True)
class HarderTest:
    """One file of images; it stays on the disk until a part of it is loaded."""

    benchmark: str
    name: str
    path: Path
    pixels_NHWC: NDArray[np.uint8]
    labels_N: NDArray[np.int64]
    num_severities: int

    def load(self, severity: int, class_names: tuple[str, ...]) -> ImageSet:
        """Read the images of one severity (from 1), labelled by position in ``class_names``.

        Raises DataError where ``class_names`` lacks one of CIFAR-10's classes.
        """
        num_each = len(self.labels_N) // self.num_severities
        part = slice((severity - 1) * num_each, severity * num_each)
        pixels_NCHW = np.ascontiguousarray(self.pixels_NHWC[part].transpose(0, 3, 1, 2))
        names = tuple(f"{self.name}/{severity}/{i:05d}" for i in range(num_each))
        labels_N = torch.from_numpy(self.labels_N[part])
        images = ImageSet(torch.from_numpy(pixels_NCHW), labels_N, CLASS_NAMES, names)
        return images.relabel(class_names, str(self.path))


def find_harder_tests(directory: Path) -> list[HarderTest]:
    """Open every file of CIFAR-10-C and CIFAR-10.1 in ``directory``, by name.

    Raises DataError where there is none, and for a file that is not what its name says.
    """
    if not directory.is_dir():
        raise DataError(f"{directory}: no such directory; name one with CIFAR-10-C or CIFAR-10.1")
    new_tests = sorted(directory.glob(NEW_TEST_DATA))
    others = sorted(set(directory.glob("*.npy")) - {directory / LABELS})
    corruptions = [path for path in others if not path.name.startswith("cifar10.1")]
    if not corruptions and not new_tests:
        raise DataError(
            f"{directory}: holds neither CIFAR-10-C (fog.npy …, {LABELS}) nor CIFAR-10.1 "
            "(cifar10.1_v6_data.npy, cifar10.1_v6_labels.npy)"
        )
    return [
        *(_open(path, directory / LABELS, "CIFAR-10-C", NUM_SEVERITIES) for path in corruptions),
        *(
            _open(path, path.with_name(path.name.replace("_data", "_labels")), "CIFAR-10.1", 1)
            for path in new_tests
        ),
    ]


def _open(path: Path, labels_path: Path, benchmark: str, num_severities: int) -> HarderTest:
    pixels, labels = _map(path), _map(labels_path)
    channels, height, width = IMAGE_SHAPE
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (height, width, channels):
        raise DataError(
            f"{path}: holds {pixels.dtype} numbers of shape {pixels.shape}, where {benchmark} has "
            f"uint8 of shape (N, {height}, {width}, {channels}); download it again"
        )
    if labels.dtype.kind not in "iu" or labels.shape != pixels.shape[:1]:
        raise DataError(
            f"{labels_path}: holds {labels.dtype} numbers of shape {labels.shape}, but {path.name} "
            f"needs {len(pixels)} whole numbers; download both again"
        )
    if not len(labels) or len(labels) % num_severities:
        raise DataError(
            f"{path}: {len(labels)} images are not {num_severities} severities of equal size"
        )
    if labels.min() < 0 or labels.max() >= len(CLASS_NAMES):
        raise DataError(f"{labels_path}: labels must be 0 to 9, not {labels.min()}–{labels.max()}")
    name = path.stem.removesuffix("_data")
    return HarderTest(benchmark, name, path, pixels, labels.astype(np.int64), num_severities)


def _map(path: Path) -> NDArray[Any]:
    """Map a .npy file into memory without reading it; nothing in it is ever unpickled."""
    try:
        open_regular(path).close()
        return np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError:
        raise DataError(f"{path}: is missing; images and labels belong together") from None
    except (OSError, ValueError, EOFError) as problem:
        reason = " ".join(str(problem).split())
        raise DataError(f"{path}: not a whole .npy file ({reason}); download it again") from None
