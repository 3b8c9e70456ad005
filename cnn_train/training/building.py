"""Build the parts of a run from its config: the only place that connects them."""

import gc
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from ..acceleration.forward import training_forward
from ..data.batches import Slice, TrainingBatches, evaluation_batch_size, plan_epoch
from ..data.checks import check_augmentation, check_images
from ..data.host_images import HostImages
from ..data.image_set import ImageSet
from ..data.normalization import IMAGENET, Normalization
from ..data.sampling import balance, count_classes
from ..data.selection import NO_LOSS_21
from ..errors import ConfigError
from ..experiment import ExperimentConfig
from ..machine.device import Device, resolve_precision
from ..machine.free_memory import weigh
from ..machine.processes import ALONE, World
from ..models.fine_tuning import body_parameters, freeze
from ..optim.averaging import WeightAverage
from ..optim.learning_rates import scaled
from ..optim.optimizer import OptimizerConfig
from ..optim.schedules import Pace
from ..random_streams import seeded
from .data_parallel import check_parts, spread
from .image_side import side_over_time
from .loop import Forward
from .session import Session
from .update_guard import UpdateGuard


def build_session(
    config: ExperimentConfig,
    train: ImageSet,
    val: ImageSet,
    device: Device,
    limit_batches: int | None = None,
    world: World = ALONE,
) -> Session:
    """Build every part of a fresh run from its config and its images.

    Raises DataError where the images do not fit, UsageError where the device cannot do it.
    """
    check_images(train, val)
    config = config.model_copy(update={"data": config.data.as_read(train)})
    check_augmentation(config.augment, train.image_shape)
    precision = resolve_precision(config.precision, device)
    plan = plan_epochs(config, len(train), limit_batches)
    first, last = plan(0), plan(config.epochs - 1)  # there are no others
    selection = config.data_selection
    updates, later = (sum(piece.completes_update for piece in pieces) for pieces in (first, last))
    pace = Pace(updates, later, selection.from_epoch if selection.keep < 1 else math.inf)
    by_loss = selection.keep < 1 and selection.by == "loss"
    losses_2N = NO_LOSS_21.repeat(1, len(train)).to(device.torch_device) if by_loss else None
    with seeded(config.seed, "weights"):
        model = config.model.build(len(train.class_names), train.image_shape)
    model.to(device.torch_device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if (imagenet := config.normalization == "imagenet") and train.image_shape[0] != 3:
        raise ConfigError("normalization: imagenet is for colour images, and these have no colours")
    normalization = IMAGENET if imagenet else Normalization.of(train.images_NCHW)
    fit_image_layers(model, train, normalization)
    check_parts((*first, *last), model, world, sync_batch_norm=config.sync_batch_norm)
    freeze(model, config.fine_tuning.freeze)
    optimizer = with_body_rate(config, model).build(model)
    resident = on_device(train, device, config.data.resident)
    choose = partial(selection.choose, seed=config.seed, losses_2N=losses_2N)
    if config.data.sampling == "balanced":  # then no share is selected
        choose = partial(balance, labels_N=train.labels_N.cpu(), seed=config.seed)
    recorded = config.cuda_graphs and may_record(config, resident, world)
    has_phases = config.fine_tuning.head_first_epochs > 0

    def forward() -> Forward:
        network = spread(model, device, world, sync_batch_norm=config.sync_batch_norm)
        compiled = config.compile
        return training_forward(network, device, precision, compiled=compiled, recorded=recorded)

    return Session(
        config=config,
        device=device,
        precision=precision,
        batches=TrainingBatches(
            resident,
            normalization,
            config.augment.build(),
            config.seed,
            plan,
            side_over_time(config, train.image_shape),
            world=world,
            choose=choose,
        ),
        val_images=on_device(val, device, config.data.resident),
        seen=torch.unique(train.hashes_N),
        data_fingerprints={"train": train.fingerprint(), "val": val.fingerprint()},
        limit_batches=limit_batches,
        model=model,
        average=follow_average(model, optimizer, config.ema_decay),
        forward=remade_for_each_phase(forward, model) if has_phases else forward(),
        loss_fn=config.loss.build_weighted(
            count_classes(train), train.class_names, device.torch_device
        ),
        penalty=config.regularization.build(model),
        optimizer=optimizer,
        schedule=config.schedule.build(pace.steps(config.epochs), pace),
        pace=pace,
        losses_2N=losses_2N,
        before_update=UpdateGuard(
            model.parameters(), config.clip_grad_norm, device.torch_device, alone=world.size == 1
        ),
        world=world,
    )


def with_body_rate(config: ExperimentConfig, model: nn.Module) -> OptimizerConfig:
    """Return the optimiser's settings with ``fine_tuning.body_lr`` in them."""
    optimizer, rate = config.optimizer, config.fine_tuning.body_lr
    if rate == 1:
        return optimizer
    factors = scaled(optimizer.lr_factors, body_parameters(model), rate)
    return optimizer.model_copy(update={"lr_factors": factors})


def remade_for_each_phase(make: Callable[[], Forward], model: nn.Module) -> Forward:
    """Return a forward pass that is made anew where other weights learn than before.

    Several processes, compiled networks and recordings are laid out for those that learn.
    """
    made: dict[tuple[bool, ...], Forward] = {}

    def forward(images_BCHW: torch.Tensor) -> torch.Tensor:
        learning = tuple(parameter.requires_grad for parameter in model.parameters())
        if learning not in made:
            if made:
                made.clear()
                gc.collect()  # else the old one's hooks would go on adding up gradients
            made[learning] = make()
        return made[learning](images_BCHW)

    return forward


def plan_epochs(
    config: ExperimentConfig, num_examples: int, limit: int | None
) -> Callable[[int], tuple[Slice, ...]]:
    """Return the function from an epoch to its minibatches."""
    cut = partial(
        plan_epoch,
        batch_size=config.batch_size,
        accumulate=config.accumulate,
        full_batch=config.optimizer.full_batch,
        limit=limit,
    )
    return lambda epoch: cut(config.data_selection.num_kept(epoch, num_examples))


def may_record(config: ExperimentConfig, train: ImageSet, world: World) -> bool:
    """Whether every minibatch is an update of its own, and no thread fetches others meanwhile."""
    is_fetched = isinstance(train.images_NCHW, HostImages)
    accumulates = config.optimizer.full_batch or config.accumulate > 1
    return world.size == 1 and not accumulates and not is_fetched


def follow_average(
    model: nn.Module, optimizer: torch.optim.Optimizer, decay: float
) -> WeightAverage | None:
    """Keep an exponential moving average of the weights, updated after every optimizer step."""
    if decay == 0:
        return None
    average = WeightAverage(model, decay)
    optimizer.register_step_post_hook(lambda *_: average.update(model))
    return average


def on_device(images: ImageSet, device: Device, resident: str = "device") -> ImageSet:
    """Move labels to the device, where they stay, and pixels as ``data.resident`` says."""
    where, pixels = device.torch_device, images.images_NCHW
    images = replace(images, labels_N=images.labels_N.to(where))
    if resident == "auto" and where.type != "cuda":
        fits, reason = not isinstance(pixels, HostImages), "as when they were loaded"
    else:
        fits, reason = weigh(pixels.shape.numel(), where, resident)
    if not fits:
        return images.on_host(f"on the host, in memory: {reason}")
    return replace(images, images_NCHW=pixels.to(where))


IMAGES_TO_READ = 5000
"""Enough for the covariance of small patches: each image has hundreds of them."""


def fit_image_layers(model: nn.Module, train: ImageSet, normalization: Normalization) -> None:
    """Compute the layers that are not learned from images spread evenly over the training set."""
    every = -(-len(train) // IMAGES_TO_READ)
    step = every * evaluation_batch_size(train.image_shape)
    for layer in getattr(model, "image_layers", []):
        pieces = (train.images_NCHW[i : i + step : every] for i in range(0, len(train), step))
        layer.fit(map(normalization, pieces))
