"""Turn a state dict of another program into a checkpoint that our commands can use."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ..config.differences import differences
from ..data.content import UNKNOWN_IMAGES
from ..data.dataset import KnownImages
from ..data.image_set import ImageSet
from ..data.normalization import Normalization
from ..errors import CheckpointError, UsageError, name_some
from ..experiment import ExperimentConfig
from ..version import __version__
from .checkpoint import Checkpoint, read_content
from .exporting import read_description
from .fitting import Blueprint
from .foreign import ForeignWeights, load_weights
from .matching import Match

UNSAID = "strides, pooling, activations, the order of concatenated maps, how images were prepared"
"""What decides a network's scores and stands in no state dict."""


@dataclass(frozen=True)
class Import:
    """A checkpoint of imported weights, and how it came about.

    weights: the file, ``is_ours`` where it says itself what is UNSAID in others.
    normalization_from: who says the mean and the deviation.
    """

    checkpoint: Checkpoint
    weights: ForeignWeights
    matches: tuple[Match, ...]
    normalization: Normalization
    normalization_from: str


def import_weights(
    path: Path,
    config: ExperimentConfig | None = None,
    *,
    class_names: Sequence[str] | None = None,
    normalization: Normalization | None = None,
    key: str | None = None,
) -> Import:
    """Put the tensors of ``path`` into the model of ``config``.

    What is not given is taken from the file, if `export-weights` wrote it, else from what is
    published about the config's dataset. ``class_names`` are in the order of the network's scores.
    Raises UsageError where something is still missing, CheckpointError where the tensors do not
    fit one to one, are no plain numbers or are not finite.
    """
    weights = load_weights(read_content(path), path, key)
    config, images, source = _describe(weights, config, path)
    images = replace(
        images,
        class_names=tuple(class_names) if class_names else images.class_names,
        normalization=normalization or images.normalization,
    )
    names, means = require_known(images, config.data.name)
    blueprint = Blueprint(config.model, len(names), images.image_shape)
    state, matches = blueprint.fill(weights, path)
    checkpoint = make_checkpoint(config, images.image_shape, names, means, state, path)
    source = "--mean and --std" if normalization else source
    return Import(checkpoint, weights, tuple(matches), means, source)


def start_from_file(
    weights: ForeignWeights, path: Path, config: ExperimentConfig, images: ImageSet
) -> Checkpoint:
    """Return a file's weights as a checkpoint for a run of ``config`` on ``images`` to start from.

    The file may have any number of classes. What it does not say is empty in the checkpoint:
    ``class_names`` and ``normalization``. Raises as :func:`import_weights` does.
    """
    known = KnownImages(images.image_shape)
    if weights.is_ours:
        config, known, _ = _describe(weights, None, path)
    names = known.class_names or ()
    blueprint = Blueprint(config.model, len(names or images.class_names), known.image_shape)
    if not names and (found := blueprint.find_fitting(weights)):
        blueprint = replace(blueprint, num_classes=found.num_classes)
    state, _ = blueprint.fill(weights, path)
    return make_checkpoint(config, known.image_shape, names, known.normalization, state, path)


def _describe(
    weights: ForeignWeights, config: ExperimentConfig | None, path: Path
) -> tuple[ExperimentConfig, KnownImages, str]:
    """Return the model's config, what is known of its images, and who says that.

    Raises CheckpointError where the file says that its network is not that of ``config``.
    """
    if not weights.is_ours:
        if config is None:
            raise UsageError(
                f"{path}: --config CONFIG is needed: the file does not say its network"
            )
        return config, config.data.known_images(), f"usual for {config.data.name}"
    stored, own, means = read_description(weights.metadata, path)
    config = config or own
    networks = ({"model": c.model.model_dump(exclude={"weights"})} for c in (own, config))
    if changes := differences(*networks):
        raise CheckpointError(
            f"{path}: was exported from another network: {name_some(list(map(str, changes)))}; "
            "leave out --config, or give that network's"
        )
    return config, KnownImages(stored.image_shape, stored.class_names, means), "stored in the file"


def require_known(images: KnownImages, dataset: str) -> tuple[tuple[str, ...], Normalization]:
    """Return classes and normalization; raises UsageError that asks for what is missing."""
    if images.class_names is None:
        raise UsageError(
            f"--classes is needed: the classes of a {dataset} dataset are not known without its "
            "images; name them in the order of the network's scores"
        )
    if images.normalization is None:
        raise UsageError(
            f"--mean and --std are needed: a {dataset} dataset has no usual ones; give those that "
            "the weights were trained with, per channel, in units of 1 = 255"
        )
    channels = {len(images.normalization.mean), len(images.normalization.std)}
    if channels != {images.image_shape[0]}:
        raise UsageError(f"--mean and --std: {images.image_shape[0]} numbers each, one per channel")
    return images.class_names, images.normalization


def make_checkpoint(
    config: ExperimentConfig,
    image_shape: tuple[int, int, int],
    class_names: Sequence[str],
    normalization: Normalization | None,
    state: dict[str, Tensor],
    source: Path,
) -> Checkpoint:
    """Make a checkpoint of weights from another program: it belongs to no run and cannot resume."""
    located = config.model_copy(update={"data": config.data.located()})
    return Checkpoint(
        config=located.model_dump(mode="json"),
        class_names=list(class_names),
        image_shape=list(image_shape),
        normalization=normalization.as_lists() if normalization else {},
        model=state,
        environment={"cnn_train": __version__, "torch": str(torch.__version__)},
        training_images=torch.tensor([UNKNOWN_IMAGES]),
        imported_from=source.name,
    )
