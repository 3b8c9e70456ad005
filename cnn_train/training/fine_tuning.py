"""Start a fresh run from the weights of a checkpoint: every tensor, or all but a new head."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from ..checkpoints.checkpoint import Checkpoint, load_state
from ..checkpoints.inspection import checkpoint_config
from ..checkpoints.matching import find_misfits
from ..config.differences import differences
from ..data.image_set import same_spelling
from ..errors import CheckpointError, name_some
from ..models.head import head_tensors
from .session import Session


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
    config, shape = session.config, list(session.batches.images.image_shape)
    trained = checkpoint_config(checkpoint, source)
    before = {"model": trained.model.model_dump(), "image_shape": checkpoint.image_shape}
    now = {"model": config.model.model_dump(), "image_shape": shape}
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
