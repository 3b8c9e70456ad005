"""What a visualisation is asked for: a trained model, images, and the user's choices.

Shape letters: N images, B minibatch, C channels, H W pixels.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import torch
from torch import Tensor

from ..data.batches import evaluation_batch_size
from ..data.dataset import Progress, silent
from ..data.image_set import ImageSet, Pixels, spread_evenly
from ..data.images.files import load_image
from ..data.images.square import Reading, fit_square
from ..errors import CheckpointError, DataError, UsageError, name_some
from ..inference.trained_model import TrainedModel
from ..models.summary import LayerRun, trace_layers
from .layers import Units, default_layers, find_units

NO_LABEL = "–"
BATCH_PARTS = 5
"""A minibatch has 1/5 of the images of one of ``evaluate``: all maps of a layer are kept."""


@dataclass(frozen=True)
class Subjects:
    """The images to look at: NCHW (uint8), with their names and, where known, classes."""

    images_NCHW: Pixels
    names: tuple[str, ...]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def of(cls, images: ImageSet, most: int | None = None) -> Self:
        """Take ``most`` images (None: all), spread evenly: sets are often sorted by class."""
        if most is not None and most < len(images):
            images = images.select(spread_evenly(len(images), most))
        labels = tuple(images.class_names[label] for label in images.labels_N.tolist())
        return cls(images.images_NCHW, images.names, labels)

    @classmethod
    def none(cls, image_shape: tuple[int, int, int]) -> Self:
        """Make an empty set, for methods that look at weights only."""
        return cls(torch.empty(0, *image_shape, dtype=torch.uint8), (), ())

    @classmethod
    def load(cls, paths: Sequence[Path], reading: Reading) -> Self:
        """Read image files as the network sees them; DataError names the first bad one."""
        size_px, fit, bits = reading.size_px, reading.fit, reading.grey_bits
        pixels = [fit_square(load_image(path, bits).pixels_HWC, size_px, fit) for path in paths]
        images_NCHW = torch.stack([torch.from_numpy(p).permute(2, 0, 1) for p in pixels])
        return cls(images_NCHW, tuple(path.name for path in paths), (NO_LABEL,) * len(paths))


@dataclass(frozen=True)
class Request:
    """A trained model, the images to show it, and the user's choices (empty or None: none).

    states: the files of its run's kept states, whose path to show, by their number of updates.
    Raises CheckpointError where the model's weights are not finite.
    """

    trained: TrainedModel
    subjects: Subjects
    layers: tuple[str, ...] = ()
    channels: tuple[int, ...] = ()
    num_channels: int | None = None
    label: str | None = None
    window_px: int | None = None
    projection: Literal["pca", "tsne"] = "pca"
    signals_only: bool = False
    split: Literal["train", "val"] = "val"
    reach: float = 1.0
    num_points: int = 21
    seed: int = 0
    states: Mapping[int, Path] = field(default_factory=dict)
    progress: Progress = silent

    def __post_init__(self) -> None:
        if not all(bool(tensor.isfinite().all()) for tensor in self.trained.model.parameters()):
            raise CheckpointError(
                "the model's weights are not finite (NaN): choose another checkpoint"
            )

    @cached_property
    def runs(self) -> list[LayerRun]:
        """Every layer with its output for one image."""
        return trace_layers(self.trained.model, self.trained.image_shape)

    def units(self) -> list[Units]:
        """Return the units of the chosen layers, or of the model's usual ones."""
        names = self.layers or default_layers(self.runs)
        return [find_units(self.runs, name) for name in names]

    def inputs(self, most: int | None = None) -> Tensor:
        """Return the first ``most`` images BCHW (None: all) as the network takes them."""
        images_NCHW = self.subjects.images_NCHW[:most].to(self.trained.device.torch_device)
        return self.trained.normalization(images_NCHW)

    def batches(self, description: str) -> Iterator[Tensor]:
        """Yield the images as network inputs, minibatch by minibatch, with a progress bar."""
        size = max(1, evaluation_batch_size(self.trained.image_shape) // BATCH_PARTS)
        with self.progress(description, len(self.subjects)) as advance:
            for images_BCHW in self.subjects.images_NCHW.split(size):
                on_device_BCHW = images_BCHW.to(self.trained.device.torch_device)
                yield self.trained.normalization(on_device_BCHW)
                advance(len(images_BCHW))

    def rank_channels(self, strength_C: Tensor) -> list[int]:
        """Return the channels that were named, or else all of them, the strongest first."""
        beyond = [channel for channel in self.channels if channel >= len(strength_C)]
        if beyond:
            raise UsageError(
                f"--channel {beyond[0]}: the layer has the channels 0 to {len(strength_C) - 1}"
            )
        ranked: list[int] = strength_C.argsort(descending=True, stable=True).tolist()
        return list(self.channels) or ranked

    def labels(self) -> Tensor:
        """Return the number N of each image's class; DataError if the model does not know it."""
        numbers = {name: number for number, name in enumerate(self.trained.class_names)}
        unknown = [label for label in self.subjects.labels if label not in numbers]
        if unknown:
            known = name_some(self.trained.class_names)
            raise DataError(f"images of the class {unknown[0]}: the model knows {known}")
        return torch.tensor([numbers[label] for label in self.subjects.labels])

    def choose_channels(self, strength_C: Tensor, default_number: int) -> list[int]:
        """Return the channels that were named, or those of greatest strength."""
        ranked = self.rank_channels(strength_C)
        return ranked if self.channels else ranked[: self.num_channels or default_number]

    def channel_name(self, units: Units, channel: int, prefix: str = "") -> str:
        """Return ``prefix`` and the channel's number; its class if the channels are the scores."""
        names = self.trained.class_names
        if units.measured_at == self.runs[-1].name and units.num_channels == len(names):
            return names[channel]
        return f"{prefix}{channel}"

    def classes(self, scores_BK: Tensor) -> Tensor:
        """Return the class B to explain: the one that the user named, or the predicted one."""
        names = self.trained.class_names
        if self.label is None:
            return scores_BK.argmax(dim=1)
        if self.label not in names:
            raise UsageError(f"--class {self.label}: the model knows {name_some(names)}")
        return torch.full((len(scores_BK),), names.index(self.label), device=scores_BK.device)
