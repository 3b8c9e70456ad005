"""Resume a run: find it and its checkpoint, check what has changed, restore its state."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ..checkpoints.checkpoint import Checkpoint, load_checkpoint, load_state
from ..config.differences import Difference, differences
from ..errors import CheckpointError, ConfigError, counted, is_out_of_memory, name_some
from ..experiment import ExperimentConfig
from ..optim import OPTIMIZERS
from ..random_streams import restore_generator_states
from ..runs.directory import RunDirectory, at_best
from ..runs.states import FoundCheckpoint, load_newest
from .progress import Progress
from .session import Session

# These may differ: images are compared by fingerprint, not by path or by what was found out of
# them, and neither saving nor where images are kept changes a result.
FREE_KEYS = ("checkpoint", "logging", "data.root", "data.path", "data.grey_bits", "data.resident")

# These can never differ: saved weights and optimizer state fit no other network or optimizer.
FIXED_KEYS = ("model", "normalization", "optimizer.name", "data.name", "fine_tuning.freeze")

# Those of a branch: what makes the state mean something else, as other images would.
BRANCH_FIXED_KEYS = ("model", "normalization", "data", "fine_tuning.freeze")
BRANCH_FREE_KEYS = ("model.dropout", "data.sampling")

OPTIMIZER_KEY = "optimizer.name"
LIMIT_KEY = "limit_batches"
PLAN_KEYS = ("batch_size", "accumulate", "data", "data_selection", LIMIT_KEY)


def find_state(run: RunDirectory, path: Path) -> FoundCheckpoint:
    """Load the checkpoint that ``path`` names or, for the run's directory, its newest good one.

    Raises CheckpointError where it holds weights alone.
    """
    path = at_best(path)
    if path.is_dir() or path.name == run.last_checkpoint.name:
        state = load_newest(run)
    else:
        state = FoundCheckpoint(load_checkpoint(path), path)
    if (source := state.checkpoint.imported_from) is not None:
        raise CheckpointError(
            f"{state.path}: cannot resume: it holds the weights of {source} alone; start a new run "
            "from them: fit --config CONFIG --weights CHECKPOINT"
        )
    return state


def is_finished(state: FoundCheckpoint, run: RunDirectory, config: ExperimentConfig) -> bool:
    """Say whether nothing is left to train; raises ConfigError where ``epochs`` are too few."""
    checkpoint, epochs = state.checkpoint, config.epochs
    if epochs > checkpoint.epoch:
        return config.stop.reason(checkpoint.records, epochs) is not None
    done = max(checkpoint.epoch + (checkpoint.position > 0), run.num_recorded)
    if done > epochs:
        raise ConfigError(
            f"epochs: {epochs} asked for, {done} done or begun; raise it by --set epochs=N "
            "--allow-config-change epochs, or go on from an earlier checkpoint"
        )
    return True


def list_changes(
    before: ExperimentConfig, after: ExperimentConfig, limits: tuple[int | None, int | None]
) -> list[Difference]:
    """Return what differs between two runs' settings, but for what decides no result.

    ``limits`` are ``--limit-batches`` before and after.
    """
    trees = [config.model_dump(mode="json") for config in (before, after)]
    trees = [tree | {LIMIT_KEY: limit} for tree, limit in zip(trees, limits, strict=True)]
    return [change for change in differences(*trees) if not change.is_below(FREE_KEYS)]


def checked_branch(changes: Sequence[Difference]) -> None:
    """Refuse, with ConfigError, settings that leave no meaning to the state that a branch has."""
    fixed = [change for change in changes if change.is_below(BRANCH_FIXED_KEYS)]
    if fixed := [change for change in fixed if not change.is_below(BRANCH_FREE_KEYS)]:
        raise ConfigError(
            f"{'; '.join(map(str, fixed))}: a branch has the network and the images of its run; "
            "for others, start a new run: fit --config CONFIG --weights CHECKPOINT"
        )


def checked_changes(
    before: ExperimentConfig,
    after: ExperimentConfig,
    limits: tuple[int | None, int | None],
    allowed: Sequence[str],
) -> list[Difference]:
    """Return what differs between a run's settings and those it is to go on with.

    ``limits``: as for :func:`list_changes`. Raises ConfigError, with a line for each setting, where
    one differs that is not ``allowed`` (a key, or a section with all its keys), or that cannot be
    changed at all.
    """
    changes = list_changes(before, after, limits)
    fixed = [change for change in changes if change.is_below(FIXED_KEYS)]
    refused = [change for change in changes if not change.is_below(allowed)]
    if fixed:
        raise ConfigError(
            "\n".join(map(str, fixed))
            + "\nthese cannot change on the way; start a new run, if you like from this one's "
            "weights: fit --config CONFIG --weights CHECKPOINT"
        )
    if refused:
        keys = " ".join(f"--allow-config-change {change.key}" for change in refused)
        raise ConfigError(
            "the run was trained with other settings:\n"
            + "\n".join(map(str, refused))
            + f"\nto go on with the new ones, add {keys}; for a new run, leave out --resume"
        )
    return changes


def resume_session(
    session: Session, checkpoint: Checkpoint, changes: Sequence[Difference] = ()
) -> None:
    """Bring a freshly built session to where ``checkpoint`` was taken, and record the changes.

    Raises CheckpointError where the images are not those the run was training on, or where
    minibatches change in the middle of an epoch.
    """
    of_data = [change for change in changes if change.is_below(["data"])]
    same_images = all(change.is_below(["data.sampling"]) for change in of_data)
    if same_images:
        for split, fingerprint in session.data_fingerprints.items():
            if checkpoint.data_fingerprints.get(split) != fingerprint:
                reason = f"the {split} images are not those that the run was trained on"
                raise CheckpointError(f"cannot resume: {reason}")
    session.normalize_as(checkpoint)
    try:
        load_state(session.model, checkpoint.model)
        if session.average:
            load_state(session.average.module, checkpoint.averaged_model or checkpoint.model)
            session.average.num_updates = checkpoint.averaged_updates
        if not has_other_optimizer(changes):  # its state starts anew: momenta mean other things
            load_optimizer_state(session, checkpoint)
        load_losses(session, checkpoint, same_images=same_images)
        restore_generator_states(checkpoint.generators)
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as problem:
        if is_out_of_memory(problem):
            raise
        reason = " ".join(str(problem).split())
        raise CheckpointError(f"cannot resume: its state does not fit the run: {reason}") from None
    session.remember_images(checkpoint)
    session.progress = Progress.restored(checkpoint, session.world)
    place_on_schedule(session, changes)
    step = session.progress.step
    session.progress.config_changes += [{"step": step, **asdict(change)} for change in changes]


def has_other_optimizer(changes: Sequence[Difference]) -> bool:
    """Say whether another kind of optimizer goes on, which can use nothing of the state."""
    return any(change.key == OPTIMIZER_KEY for change in changes)


def load_optimizer_state(session: Session, checkpoint: Checkpoint) -> None:
    """Load momenta and counters, but keep the settings of the config, which may have changed.

    torch's own loading would bring the old settings back. The rate of the last update is loaded
    too: every update sets it anyway. Raises ValueError where they are not this optimizer's.
    """
    settings = [
        {name: value for name, value in group.items() if name not in ("params", "lr", "step")}
        for group in session.optimizer.param_groups
    ]
    if len(checkpoint.optimizer["param_groups"]) != len(settings):
        raise ValueError(
            "fine_tuning.body_lr or optimizer.lr_factors now gives other layers a rate of their own"
        )
    session.optimizer.load_state_dict(checkpoint.optimizer)
    for group, chosen in zip(session.optimizer.param_groups, settings, strict=True):
        group.update(chosen)
    names = session.config.optimizer.state_names
    for parameter, state in session.optimizer.state.items():
        kept = {name: value for name, value in state.items() if value is not None}
        shapes = {name: getattr(value, "shape", None) for name, value in kept.items()}
        if kept and shapes != {n: () if n == "step" else parameter.shape for n in names}:
            raise ValueError(f"the optimizer keeps {name_some(sorted(names))} of each parameter")


def load_losses(session: Session, checkpoint: Checkpoint, *, same_images: bool) -> None:
    """Load the losses that choose the images; ValueError where the next epoch will lack them."""
    losses_2N, ours_2N = checkpoint.image_losses if same_images else None, session.losses_2N
    next_epoch = checkpoint.epoch + (checkpoint.position > 0)
    may_be_missing = session.config.data_selection.from_epoch > next_epoch
    if ours_2N is None or (losses_2N is None and may_be_missing):
        return
    if losses_2N is None or losses_2N.shape != ours_2N.shape:
        raise ValueError(f"no losses to choose by; set data_selection.from_epoch={next_epoch + 1}")
    ours_2N.copy_(losses_2N)


def changes_minibatches(change: Difference) -> bool:
    """Say whether an epoch is parted otherwise now: gd, as an optimizer, takes it as a whole."""
    if change.key == OPTIMIZER_KEY:
        return OPTIMIZERS[change.before].full_batch != OPTIMIZERS[change.after].full_batch
    return change.is_below(PLAN_KEYS)


def place_on_schedule(session: Session, changes: Sequence[Difference]) -> None:
    """Set the schedule to where it stands if every epoch had the minibatches of these settings.

    Raises CheckpointError where they change in the middle of an epoch.
    """
    progress, plan = session.progress, session.batches.plan(session.progress.epoch)
    if progress.position and any(map(changes_minibatches, changes)):
        raise CheckpointError(
            "cannot resume: minibatches cannot change in the middle of an epoch, and this state "
            f"was taken after {progress.position} of them; finish the epoch first, or take a state "
            + ("of an epoch's end, as best.ckpt is" if progress.epoch else "of the very beginning")
        )
    if progress.position > len(plan):
        raise CheckpointError(f"cannot resume: an epoch has only {counted(len(plan), 'minibatch')}")
    under_way = sum(piece.completes_update for piece in plan[: progress.position])
    progress.schedule_step = session.pace.steps(progress.epoch) + under_way
