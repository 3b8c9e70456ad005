"""Start a fresh run from the weights of another model: every tensor, or all but a new head."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..checkpoints.checkpoint import (
    Checkpoint,
    is_checkpoint,
    load_state,
    parse_checkpoint,
    read_content,
)
from ..checkpoints.exporting import read_description
from ..checkpoints.foreign import ForeignWeights, load_weights
from ..checkpoints.importing import start_from_file
from ..checkpoints.inspection import checkpoint_config
from ..checkpoints.matching import find_misfits
from ..checkpoints.pretrained import locate
from ..checkpoints.published import published_file
from ..config.differences import differences
from ..data.image_set import same_spelling
from ..errors import CheckpointError, ConfigError, counted, name_some
from ..models.head import head_layer, head_tensors
from ..models.torchvision_models import TorchvisionConfig, published_weights
from .session import Session

Say = Callable[[str], object]


@dataclass(frozen=True)
class Weights:
    """The model whose weights a new run starts from: ours, or a file of another program.

    normalization: what images were normalised by, where the file does not say it.
    """

    path: Path
    source: Checkpoint | ForeignWeights
    origin: dict[str, str]
    normalization: dict[str, list[float]] | None = None

    @classmethod
    def read(cls, path: Path) -> "Weights":
        """Read a file once, for its contents and its hash."""
        content = read_content(path)
        source: Checkpoint | ForeignWeights
        if is_checkpoint(content):
            file = parse_checkpoint(content, path)
            source, digest = file.checkpoint, file.digest
        else:
            source, digest = load_weights(content, path), sha256(content).hexdigest()
        ships = locate(path) != path  # pretrained:NAME, wherever the program lies
        where = path if ships else path.resolve()
        return cls(path, source, {"weights_from": str(where), "weights_sha256": digest})

    @property
    def network(self) -> dict[str, Any] | None:
        """The settings of the network that the file is of; None where it does not say them."""
        if isinstance(self.source, Checkpoint):
            return dict(self.source.config["model"])
        if self.source.is_ours:
            return dict(read_description(self.source.metadata, self.path)[0].config["model"])
        return None


def read_published(session: Session, *, offline: bool, notice: Say) -> Weights | None:
    """Read the weights that ``model.weights`` names, downloaded where needed; None: it names none.

    Raises ConfigError for images without colours, CheckpointError where there is no intact file.
    """
    model, (channels, height, width) = session.config.model, session.batches.images.image_shape
    if not isinstance(model, TorchvisionConfig) or model.weights == "none":
        return None
    if channels != 3:
        raise ConfigError("model.weights: are for colour images, and these have no colours")
    published = published_weights(model.architecture)[model.weights]
    with session.world.first_on_each_machine("weights"):
        path = published_file(published.url, offline=offline, notice=notice)
    preset = published.transforms()
    side_px = preset.crop_size[0]
    if (height, width) != (side_px, side_px):
        notice(
            f"{model.weights} of {model.architecture} were trained on images of {side_px}×{side_px}"
            f", these are {width}×{height}: larger ones (data.image_size, up to {side_px}) are "
            "slower and mostly learned better"
        )
    means = {"mean": list(preset.mean), "std": list(preset.std)}
    return replace(Weights.read(path), normalization=means)


def fill_in(
    session: Session, weights: Weights | None, *, new_head: bool, notice: Say, warn: Say,
    offline: bool = False,
) -> dict[str, str]:  # fmt: skip
    """Fill a fresh session with the weights given, or with those that ``model.weights`` names.

    Say which tensors fit. Return where they come from, nothing where there are none.
    """
    config = session.config
    if weights and getattr(config.model, "weights", "none") != "none":
        notice("model.weights: not read, as other weights are given")
    given = weights or read_published(session, offline=offline, notice=notice)
    if not given:
        if config.fine_tuning.freeze or config.fine_tuning.head_first_epochs:
            warn("fine_tuning: no weights are given, so what is frozen stays as it was drawn")
        return {}
    source = given.source
    if isinstance(source, ForeignWeights):
        notice(f"{given.path} looks like {source.kind}")
        source = start_from_file(source, given.path, config, session.batches.images)
    if given.normalization:
        source = replace(source, normalization=given.normalization)
    filled = start_from_weights(session, source, new_head=new_head or weights is None)
    notice(f"weights from {given.path}: {counted(len(filled.kept), 'tensor')} kept")
    for what, names in (("dropped", filled.dropped), ("drawn anew", filled.new)):
        if names:
            notice(f"{what}: {', '.join(names)}")
    for change in changed_settings(session, source, str(given.path)):
        warn(f"the weights were trained with another network or image size: {change}")
    notice(keep_normalization(session, source))
    return given.origin


def describe_learning(session: Session) -> str:
    """Say what learns, and when, where that is not everything at one rate; else nothing."""
    settings = session.config.fine_tuning
    trained = [p for group in session.optimizer.param_groups for p in group["params"]]
    num, total = (sum(p.numel() for p in some) for some in (trained, session.model.parameters()))
    name, head = head_layer(session.model)  # name "": the network is one layer
    facts = [f"{num:,} of {total:,} parameters"] if settings.freeze else []
    if first := settings.head_first_epochs:
        alone = sum(p.numel() for p in head.parameters())
        when = f"epochs 1 to {first}" if first > 1 else "the first epoch"
        facts.append(f"in {when} only the {alone:,} of {name}")
    if settings.body_lr < 1:
        facts.append(f"all but {name} at {settings.body_lr:g} of the rate")
    return "; ".join(facts)


@dataclass(frozen=True)
class StartingWeights:
    """What became of each tensor: taken over, left behind in the checkpoint, or freshly drawn."""

    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    new: tuple[str, ...]


def start_from_weights(
    session: Session, checkpoint: Checkpoint, *, new_head: bool = False
) -> StartingWeights:
    """Fill a fresh session's network, and its average, with a checkpoint's usable weights.

    With ``new_head`` the last layer stays as it was drawn; a head that is kept must have been
    trained on the same classes, in the same order.
    Raises CheckpointError, which lists every tensor that does not fit, before anything is changed.
    """
    model, average = session.model, session.average
    theirs, ours = checkpoint.usable_weights, model.state_dict()
    head = head_tensors(model) if new_head else frozenset()
    kept = {name: value for name, value in theirs.items() if name not in head}
    _require_fit(kept, {name: ours[name] for name in ours if name not in head}, model)
    if not new_head:
        _require_same_classes(checkpoint.class_names, session.batches.images.class_names)
    load_state(model, {**ours, **kept})
    session.remember_images(checkpoint)
    if average:
        average.module.load_state_dict(model.state_dict())
    return StartingWeights(
        kept=tuple(kept),
        dropped=tuple(name for name in theirs if name in head),
        new=tuple(name for name in ours if name in head),
    )


def _require_fit(theirs: dict[str, Tensor], ours: dict[str, Tensor], model: nn.Module) -> None:
    """Require the same names and shapes on both sides; raises CheckpointError."""
    misfits, problems = find_misfits(theirs, ours)
    if misfits:
        advice = (
            "--new-head leaves this last layer fresh and keeps all others"
            if misfits <= head_tensors(model)
            else "use the config that the weights were trained with"
        )
        raise CheckpointError(f"these weights do not fit the config's model: {problems}; {advice}")


def keep_normalization(session: Session, checkpoint: Checkpoint) -> str:
    """Normalise as the weights were trained, unless the config says otherwise; say which it is."""
    whose = f"as normalization: {session.config.normalization} says"
    if session.config.normalization == "auto" and checkpoint.normalization:
        session.normalize_as(checkpoint)
        whose = "as the weights were trained (normalization: images measures the new images)"
    elif session.config.normalization == "auto":
        whose = "measured, as the file names none (normalization: imagenet is torchvision's)"
    return f"images are normalised by {session.batches.normalization}, {whose}"


def changed_settings(session: Session, checkpoint: Checkpoint, source: str) -> list[str]:
    """List what makes the run's network or images others than those the weights were trained with.

    A network whose tensors fit can still compute something else, with other activations or strides.
    """
    trained = checkpoint_config(checkpoint, source).model, checkpoint.image_shape
    ours = session.config.model, list(session.batches.images.image_shape)
    before, now = (
        {"model": model.model_dump(exclude={"weights"}), "image_shape": shape}  # not their start
        for model, shape in (trained, ours)
    )
    return list(map(str, differences(before, now)))


def _require_same_classes(theirs: Sequence[str], ours: Sequence[str]) -> None:
    if not theirs:
        raise CheckpointError(
            "this file does not name its classes: --new-head leaves the last layer fresh and keeps "
            "all others; to keep it, import the file first: cnn-train checkpoint import --classes"
        )
    if list(map(same_spelling, theirs)) != list(map(same_spelling, ours)):
        raise CheckpointError(
            f"these weights tell apart {name_some(theirs)}, in this order; the images are of "
            f"{name_some(ours)}: --new-head leaves the last layer fresh and keeps all others"
        )
