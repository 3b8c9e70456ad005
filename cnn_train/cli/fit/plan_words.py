"""A run's plan in words."""

from ...data.sampling import count_classes
from ...errors import counted
from ...metrics.best import in_words
from ...runs.directory import RunDirectory
from ...training.fine_tuning import describe_learning
from ...training.session import Session


def describe_plan(session: Session, run: RunDirectory | None) -> dict[str, str]:
    """Put what will run, where and why, into words."""
    config, progress, chosen = session.config, session.progress, describe_selection(session)
    num_parameters = sum(parameter.numel() for parameter in session.model.parameters())
    images, updates = session.batches.images, session.pace.first
    files, pixels, (_, height, width) = images.files, images.images_NCHW, images.image_shape
    strength = getattr(config.regularization, "strength", None)
    shrinks = config.regularization.kind + ("" if strength is None else f" {strength:g}")
    sampled = "" if config.data.sampling == "natural" else ", all classes equally often"
    facts = {
        "device": f"{session.device.torch_device} ({session.device.reason})",
        "precision": f"{session.precision.name} ({session.precision.reason})",
        "data": f"{config.data.name}: {len(images):,} training and {len(session.val_images):,} "
        f"validation images, {len(images.class_names)} classes, "
        f"{' × '.join(map(str, images.image_shape))}{sampled}",
        "images": getattr(pixels, "reason", f"on the device: {pixels.shape.numel() / 1e6:,.0f} MB"),
        "files": f"{files.sizes} → {width}×{height} (image_size)" if files else "",
        "model": f"{config.model.name}: {num_parameters:,} parameters",
        "learns": describe_learning(session),
        "loss": f"{describe_loss(session)}, regularisation {shrinks}",
        "optimizer": f"{config.optimizer.name}, lr {config.optimizer.lr:g}, "
        f"schedule {config.schedule.name}",
        "steps": f"{counted(config.epochs, 'epoch')} × {chosen and 'up to '}"
        f"{counted(updates, 'update')} of {describe_update(session)}",
        "selection": chosen,
        "stop": describe_stop(session),
        "run": str(run.path) if run else "nothing is written (dry run)",
        "processes": describe_processes(session) if session.world.size > 1 else "",
        "resumed": f"after {counted(progress.epoch, 'epoch')} and "
        f"{counted(progress.position, 'minibatch')}, {counted(progress.step, 'update')}"
        if progress.step
        else "",
    }
    return {name: fact for name, fact in facts.items() if fact}


def describe_loss(session: Session) -> str:
    """Name the loss, and how much it lets the images of each class count."""
    loss, images = session.config.loss, session.batches.images
    if loss.weights == "none":
        return loss.name
    weights = loss.class_weights(count_classes(images), images.class_names).tolist()
    ranked = sorted(zip(weights, images.class_names, strict=True))
    (least, light), (most, heavy) = ranked[0], ranked[-1]
    which = "balanced class weights" if loss.weights == "balanced" else "class weights"
    return f"{loss.name}, {which} from {least:.3g} ({light}) to {most:.3g} ({heavy})"


def describe_update(session: Session) -> str:
    """Say how many images make an update, and of how many minibatches they are."""
    config, plan = session.config, session.batches.plan(0)
    if session.pace.first == 1:
        return counted(plan[-1].stop, "image")
    pieces = f" ({config.accumulate} minibatches of {config.batch_size:,})"
    images = counted(config.batch_size * config.accumulate, "image")
    return images + (pieces if config.accumulate > 1 else "")


def describe_selection(session: Session) -> str:
    """Say which images the later epochs train on; "" where all train on all."""
    settings, num_images = session.config.data_selection, len(session.batches.images)
    if settings.keep == 1:
        return ""
    which = "with the largest last loss" if settings.by == "loss" else "drawn at random"
    num_images = settings.num_kept(settings.from_epoch, num_images)
    return f"from epoch {settings.from_epoch + 1} on, the {num_images:,} images {which}"


def describe_stop(session: Session) -> str:
    """Say what ends the run early; "" where nothing does."""
    stop = session.config.stop
    if not stop.patience:
        return ""
    epochs = counted(stop.patience, "epoch")
    return f"early, after {epochs} without a better validation {in_words(stop.metric)}"


def describe_end(session: Session) -> str:
    """Say why no epoch is left to train; where the run has stopped early, how to go on."""
    if not session.stopped_early:
        epochs = counted(session.config.epochs, "epoch")
        return f"training is complete after {epochs}; nothing to do"
    go_on = "--set stop.patience=0 --allow-config-change stop goes on to the last epoch"
    return f"{session.stopped_early}; nothing to do ({go_on})"


def describe_processes(session: Session) -> str:
    """Say how many share a minibatch, over what, and how many images each of them takes."""
    backend = "nccl" if session.device.torch_device.type == "cuda" else "gloo"
    size, plan = session.world.size, session.batches.plan(session.progress.epoch)
    least, rest = divmod(plan[0].stop - plan[0].start, size)
    images = f"{least} or {least + 1}" if rest else str(least)
    statistics = "" if not session.config.sync_batch_norm else ", batch norm synchronised"
    return f"{size} ({backend}), {images} images each{statistics}"
