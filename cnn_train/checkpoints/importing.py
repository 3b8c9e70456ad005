"""Turn a state dict of another program into a checkpoint that our commands can use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ..config.loading import validate_settings
from ..data.content import UNKNOWN_IMAGES
from ..data.dataset import KnownImages
from ..data.normalization import Normalization
from ..errors import CheckpointError, ConfigError, UsageError
from ..experiment import ExperimentConfig
from ..version import __version__
from .checkpoint import Checkpoint, read_content
from .exporting import ModelDescription
from .foreign import ForeignWeights, load_weights
from .matching import Match, NoMatch, match_tensors


@dataclass(frozen=True)
class Import:
    """A checkpoint of imported weights, the kind of its file, and how tensors were matched."""

    checkpoint: Checkpoint
    kind: str
    matches: tuple[Match, ...]


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
    config, images = _describe(weights, config, path)
    images = replace(
        images,
        class_names=tuple(class_names) if class_names else images.class_names,
        normalization=normalization or images.normalization,
    )
    names, means = require_known(images, config.data.name)
    with torch.random.fork_rng(devices=[]):  # every number drawn here is replaced below
        model = config.model.build(len(names), images.image_shape)
    state, matches = fit_into(model, weights, path)
    checkpoint = make_checkpoint(config, images.image_shape, names, means, state, path)
    return Import(checkpoint, weights.kind, tuple(matches))


def _describe(
    weights: ForeignWeights, config: ExperimentConfig | None, path: Path
) -> tuple[ExperimentConfig, KnownImages]:
    """Return the model's config and what is known of its images, from the file if possible."""
    try:
        stored = ModelDescription.from_metadata(weights.metadata)
    except ValueError as problem:
        raise CheckpointError(f"{path}: its metadata are damaged: {problem}") from None
    if stored is None:
        if config is None:
            raise UsageError(
                f"{path}: --config CONFIG is needed: the file does not say its network"
            )
        return config, config.data.known_images()
    try:
        own = validate_settings(stored.config, f"{path}: stored config", ExperimentConfig)
        means = Normalization(stored.normalization["mean"], stored.normalization["std"])
    except (ConfigError, KeyError) as problem:
        raise CheckpointError(f"{path}: its metadata are of no use: {problem}") from None
    return config or own, KnownImages(stored.image_shape, stored.class_names, means)


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


def fit_into(
    model: nn.Module, weights: ForeignWeights, path: Path
) -> tuple[dict[str, Tensor], list[Match]]:
    """Return the model's state dict with the file's numbers, and the matches; CheckpointError."""
    ours = model.state_dict()
    try:
        matches = match_tensors(weights.tensors, ours, is_ordered=weights.is_ordered)
    except NoMatch as problem:
        raise CheckpointError(f"{path}: does not fit the config's model: {problem}") from None
    state = {name: value.contiguous() for name, value in ours.items()}
    for match in matches:
        state[match.ours] = _convert(weights.tensors[match.theirs], ours[match.ours], match, path)
    return state, matches


def _convert(theirs: Tensor, ours: Tensor, match: Match, path: Path) -> Tensor:
    """Return the file's numbers in our type, contiguous."""
    plain = theirs.layout == torch.strided and not (theirs.is_quantized or theirs.is_meta)
    if not plain or theirs.is_floating_point() != ours.is_floating_point():
        where = "without numbers (meta)" if theirs.is_meta else f"of layout {theirs.layout}"
        raise CheckpointError(
            f"{path}: {match.theirs} is a tensor of {theirs.dtype} {where}; "
            f"{match.ours} needs plain numbers of {ours.dtype}"
        )
    converted = theirs.detach().to(ours.dtype, copy=True).contiguous()
    if not converted.isfinite().all():
        raise CheckpointError(f"{path}: {match.theirs} holds numbers that are not finite")
    return converted


def make_checkpoint(
    config: ExperimentConfig,
    image_shape: tuple[int, int, int],
    class_names: Sequence[str],
    normalization: Normalization,
    state: Mapping[str, Tensor],
    source: Path,
) -> Checkpoint:
    """Make a checkpoint of weights from another program: it belongs to no run and cannot resume."""
    located = config.model_copy(update={"data": config.data.located()})
    return Checkpoint(
        config=located.model_dump(mode="json"),
        class_names=list(class_names),
        image_shape=list(image_shape),
        normalization={"mean": list(normalization.mean), "std": list(normalization.std)},
        data_fingerprints={},
        model=dict(state),
        averaged_model=None,
        optimizer={},
        generators={},
        epoch=0,
        position=0,
        step=0,
        partial_tally={},
        records=[],
        limit_batches=None,
        precision="float32",
        environment={"cnn_train": __version__, "torch": str(torch.__version__)},
        config_changes=[],
        training_images=torch.tensor([UNKNOWN_IMAGES]),
        imported_from=source.name,
    )
