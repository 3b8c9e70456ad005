"""A model ready for use: network, classes and preprocessing, from a checkpoint and nothing else.

Shape letters: N images, B minibatch, C channels, H W pixels, K classes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..checkpoints.checkpoint import (
    Checkpoint,
    contiguous_state,
    load_checkpoint,
    load_state,
    save_checkpoint,
)
from ..checkpoints.inspection import checkpoint_config
from ..data.batches import evaluation_batch_size
from ..data.content import UNKNOWN_IMAGES
from ..data.image_set import Pixels
from ..data.images.square import Reading
from ..data.normalization import Normalization
from ..errors import CheckpointError, DataError, UsageError
from ..experiment import ExperimentConfig
from ..machine.device import Device, Precision, resolve_device, resolve_precision, with_autocast
from ..machine.environment import describe_environment
from ..models.summary import evaluating
from .views import ViewsName, check_share, least_confident, scores_over_views

ONNX = ".onnx"
"""How the name of a file ends that is no checkpoint, but an exported model to run."""


@dataclass(frozen=True)
class TrainedModel:
    """A network with all that is needed to turn images into scores."""

    model: nn.Module
    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    normalization: Normalization
    config: ExperimentConfig
    device: Device
    precision: Precision
    data_fingerprints: dict[str, str]
    epoch: int
    val_accuracy: float | None
    history: list[dict[str, float]] = field(default_factory=list, compare=False)
    """A plain dict for each epoch; pandas.DataFrame(history) makes a table of it."""
    labels: tuple[Any, ...] = ()
    """The caller's own labels, which the Python API returns; empty: the class names."""
    takes_levels: bool = False
    """Whether the network normalises the levels 0 to 255 itself, as an exported one does."""
    training_images: Tensor = field(
        default_factory=lambda: torch.tensor([UNKNOWN_IMAGES]), compare=False
    )

    def reading(self) -> Reading:
        """Return how files become the square RGB images of this model: as when it was trained.

        Raises DataError where it takes no such images.
        """
        channels, height, width = self.image_shape
        if channels != 3 or height != width:
            raise DataError(
                f"the model takes images of {width}×{height} pixels and {channels} channels; "
                "files are read as square RGB images"
            )
        return self.config.data.reading(height)

    def save(self, path: str | Path) -> None:
        """Write a checkpoint: every command reads it, and a new run can start from its weights.

        It keeps class names for the labels, and no state of the optimiser: no run goes on from it.
        Raises UsageError or ResourceError where the file cannot be written.
        """
        save_checkpoint(self.checkpoint(), Path(path))

    def checkpoint(self) -> Checkpoint:
        """Return the model as a checkpoint that belongs to no run; UsageError for an .onnx file."""
        if self.takes_levels:
            raise UsageError(
                f"the model of an {ONNX} file has no weights to save or to start from; "
                "load the checkpoint that it was exported from"
            )
        return Checkpoint(
            config=self.config.model_dump(mode="json"),
            class_names=list(self.class_names),
            image_shape=list(self.image_shape),
            normalization=self.normalization.as_lists(),
            data_fingerprints=self.data_fingerprints,
            model=contiguous_state(self.model),
            epoch=self.epoch,
            records=self.history[: self.epoch],
            precision=self.precision.name,
            environment=describe_environment(self.device),
            training_images=self.training_images,
            imported_from="Python",
        )

    def in_float32(self) -> "TrainedModel":
        """Return the same model, for scores that rounding to bfloat16 must not change."""
        return replace(self, precision=resolve_precision("float32", self.device))

    @torch.no_grad()
    def scores(
        self,
        images_NCHW: Pixels,
        *,
        batch_size: int | None = None,
        tta: ViewsName = "none",
        tta_share: float = 1.0,
        advance: Callable[[int], object] = lambda amount: None,
    ) -> Tensor:
        """Return scores NK (float32, on the CPU) of uint8 images.

        ``advance`` counts the images scored: :func:`~.views.num_scorings` of them in all.

        tta: the views whose scores are averaged. tta_share: the share of the images, those of which
        the model is least sure, that get them; the others are scored as they are. Raises UsageError
        for a share that means nothing.
        """
        check_share(tta, tta_share)
        size = batch_size or evaluation_batch_size(self.image_shape)
        if tta_share == 1:
            return self._scores(images_NCHW.split(size), tta, advance)
        scores_NK = self._scores(images_NCHW.split(size), "none", advance)
        unsure_M = least_confident(scores_NK, tta_share)
        places = torch.split(unsure_M, size)
        singles = (scores_NK[place_B].to(self.device.torch_device) for place_B in places)
        pieces = (images_NCHW[place_B] for place_B in places)
        scores_NK[unsure_M] = self._scores(pieces, tta, advance, singles)
        return scores_NK

    def _scores(
        self,
        minibatches: Iterable[Tensor],
        tta: ViewsName,
        advance: Callable[[int], object],
        singles: Iterable[Tensor | None] = repeat(None),
    ) -> Tensor:
        """Score minibatches of images; ``singles``: the first view's scores of each, if known."""
        forward = with_autocast(self.model, self.device, self.precision)
        prepare = Tensor.float if self.takes_levels else self.normalization
        pieces = []
        with evaluating(self.model):  # a caller may have gone on training it
            for images_BCHW, single_BK in zip(minibatches, singles, strict=False):
                inputs_BCHW = prepare(images_BCHW.to(self.device.torch_device))
                pieces.append(scores_over_views(forward, inputs_BCHW, tta, single_BK))
                advance(len(images_BCHW))
        return torch.cat(pieces).cpu()


def load_trained_model(path: Path, device: str = "auto") -> TrainedModel:
    """Load the model of a checkpoint (its averaged weights, where it has them) onto ``device``.

    An .onnx file is opened by :func:`~.exported_model.load_onnx_model`. Raises CheckpointError
    where the file is no usable checkpoint, UsageError for the device.
    """
    if path.suffix == ONNX:
        from .exported_model import load_onnx_model  # it makes a TrainedModel itself

        return load_onnx_model(path, device)
    return restore_trained_model(load_checkpoint(path), resolve_device(device), str(path))


def restore_trained_model(checkpoint: Checkpoint, device: Device, source: str) -> TrainedModel:
    """Build the network that ``checkpoint`` describes and fill in its weights."""
    config = checkpoint_config(checkpoint, source)
    channels, height, width = checkpoint.image_shape
    model = config.model.build(len(checkpoint.class_names), (channels, height, width))
    try:
        load_state(model, checkpoint.usable_weights)
    except RuntimeError as problem:
        mismatch = " ".join(str(problem).split())
        raise CheckpointError(f"{source}: weights do not fit its model: {mismatch}") from None
    model.to(device.torch_device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    # Apple's GPU cannot compute in every precision.
    precision = "auto" if device.torch_device.type == "mps" else config.precision
    return TrainedModel(
        model.eval(),
        tuple(checkpoint.class_names),
        (channels, height, width),
        Normalization.from_lists(checkpoint.normalization),
        config,
        device,
        resolve_precision(precision, device),
        checkpoint.data_fingerprints,
        checkpoint.epoch,
        checkpoint.val_accuracy,
        list(checkpoint.records),
        training_images=checkpoint.training_images,
    )
