"""Train for some seconds and watch the loss fall: by updates made, and by the clock.

Every curve starts from the same weights, goes over the same images (without augmentation) and
follows the plain rule θ ← θ − η g with the same rate: what differs is how many images make a g.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from statistics import fmean, stdev

import torch

from ..data.augment.settings import AugmentConfig
from ..data.batches import TrainingBatches, plan_epoch
from ..data.image_set import ImageSet
from ..data.progressive_size import ProgressiveSizeConfig
from ..data.selection import SelectionConfig
from ..errors import UsageError, refusals_explained
from ..machine.stopwatch import now
from ..metrics.tally import Tally
from ..optim.optimizer import OptimizerConfig
from ..optim.schedules import ConstantConfig
from ..optim.sgd import GDConfig, SGDConfig
from ..random_streams import make_generator, seed_global_generators
from ..training.building import build_session
from ..training.loop import measure
from ..training.session import Session
from ..training.steps import divergence_explained, endless_steps

MOST_POINTS = 24
LEAST_UPDATES = 2
"""Updates that are made in any case, however long they take: one point makes no curve."""

MORE_UPDATES = 3
"""So many are made after a training's end, to see how much the loss changes by one of them."""

PIECE = 256
"""Images that go through the network at once in full-batch descent, which adds up gradients."""


@dataclass(frozen=True)
class Point:
    """The mean loss of minibatches, the updates made and the seconds taken before them."""

    updates: float
    seconds: float
    loss: float


@dataclass(frozen=True)
class Curve:
    """How a training went: the images of an update (None: all), then those of all updates.

    The first point is the loss of all images at the first weights: the same for every curve. The
    last one is theirs too: the mean of ``last_losses``, at the end and after each of a few updates
    more, all of them measured in the same way.
    """

    batch_size: int | None
    num_updates: int
    num_images: int
    seconds: float
    points: tuple[Point, ...]
    last_losses: tuple[float, ...]

    @property
    def seconds_per_update(self) -> float:
        """The mean time of an update."""
        return self.seconds / self.num_updates

    @property
    def last_loss(self) -> float:
        """The loss of all images at the curve's end."""
        return self.points[-1].loss

    @property
    def last_spread(self) -> float:
        """The standard deviation of the last losses: a smaller gap between curves says nothing."""
        return stdev(self.last_losses)


def plain_session(session: Session, batch_size: int | None, num_images: int) -> Session:
    """Build a session like the given one that follows the plain rule on some of its images.

    ``batch_size`` None: all images make one update. Else every minibatch has exactly that size; the
    images that an epoch leaves out come in other epochs. Equal seeds give equal first weights.
    """
    config = session.config
    lr, factors = config.optimizer.lr, config.optimizer.lr_factors
    optimizer: OptimizerConfig = GDConfig(lr=lr, lr_factors=factors)
    if batch_size is not None:
        optimizer = SGDConfig(lr=lr, lr_factors=factors, momentum=0, nesterov=False)
    plain = config.model_copy(
        update={
            "data": config.data.model_copy(update={"sampling": "natural"}),
            "optimizer": optimizer,
            "batch_size": batch_size or PIECE,
            "accumulate": 1,
            "schedule": ConstantConfig(),
            "augment": AugmentConfig(flip="none", translate=0, cutout=0),
            "progressive_size": ProgressiveSizeConfig(),
            "data_selection": SelectionConfig(),
            "clip_grad_norm": 0.0,
            "ema_decay": 0.0,
            "compile": False,
            "cuda_graphs": False,
        }
    )
    images = some_images(session.batches.images, num_images, config.seed)
    built = build_session(plain, images, session.val_images, session.device)
    if batch_size is None:
        return built
    whole = plan_epoch(len(images) // batch_size * batch_size, batch_size)
    return replace(built, batches=replace(built.batches, plan=lambda epoch: whole))


def some_images(images: ImageSet, num_images: int, seed: int) -> ImageSet:
    """Draw ``num_images`` images with at least one of each class; all, if there are no more.

    Raises UsageError if there are more classes than that.
    """
    generator = make_generator(seed, "some images")
    order_N = torch.randperm(len(images), generator=generator)
    labels = images.labels_N.cpu()[order_N].tolist()
    firsts = [labels.index(label) for label in sorted(set(labels))]
    if num_images < len(firsts):
        raise UsageError(
            f"--images {num_images}: there are {len(firsts)} classes; take at least one of each"
        )
    others = sorted(set(range(len(images))).difference(firsts))
    return images.select(order_N[sorted([*firsts, *others][:num_images])])


def loss_of_all(session: Session) -> float:
    """Return the mean loss of a full-batch session's images, in training mode."""
    session.model.train()
    seed_global_generators(session.config.seed, "dropout", 0)
    return measure(session.forward, session.loss_fn, session.batches.epoch(0)).loss


def train_for(
    session: Session,
    seconds: float,
    first_loss: float,
    all_images: TrainingBatches,
    after_update: Callable[[], object] | None = None,
) -> Curve:
    """Train for about ``seconds``, at least two updates; keep the loss of each minibatch.

    A minibatch's loss is that of the weights before its update, and costs nothing extra. In place
    of the first one stands ``first_loss``, of ``all_images``; theirs is measured at the end too.
    Calls ``after_update`` after every update that is in the curve, within the measured time.
    Raises DivergedError where a loss or gradient is not finite.
    """
    warm_up(session)
    whole, updates, points = replace(session, batches=all_images), timed_updates(session), []
    with divergence_explained(session), refusals_explained():
        for point, end in updates:
            points.append(point)
            if after_update:
                after_update()
            if end >= seconds and len(points) >= LEAST_UPDATES:
                break
        last = [loss_of_all(whole), *(loss_of_all(whole) for _ in islice(updates, MORE_UPDATES))]
    start, *later = points
    full_batch, batch_size = session.config.optimizer.full_batch, session.config.batch_size
    return Curve(
        batch_size=None if full_batch else batch_size,
        num_updates=len(points),
        num_images=len(points) * (len(session.batches.images) if full_batch else batch_size),
        seconds=end,
        points=(
            *thin_out([replace(start, loss=first_loss), *later]),
            Point(len(points), end, fmean(last)),
        ),
        last_losses=tuple(last),
    )


def warm_up(session: Session) -> None:
    """Go through one minibatch without an update: the first one takes longer than all others."""
    batch = next(session.batches.epoch(0))
    session.model.train()
    with refusals_explained():
        session.loss_fn(session.forward(batch.images_BCHW), batch.labels_B).backward()  # type: ignore[no-untyped-call]


def timed_updates(session: Session) -> Iterator[tuple[Point, float]]:
    """Yield each update's loss, at the moment before it, and the seconds after it, without end."""
    device, plan = session.device.torch_device, session.batches.plan(0)
    started, tally, updates, elapsed = now(device), Tally.zero(), 0, 0.0
    for i, piece in enumerate(endless_steps(session)):
        tally += piece
        if not plan[i % len(plan)].completes_update:
            continue
        start = Point(updates, elapsed, tally.loss)
        updates, elapsed = updates + 1, now(device) - started
        yield start, elapsed
        tally = Tally.zero()


def thin_out(points: list[Point]) -> tuple[Point, ...]:
    """Average neighbours until few points are left, which smooths the noise of minibatches.

    The first point stays as it is: all curves start there.
    """
    size = -(-len(points) // MOST_POINTS)
    groups = [points[:1], *(points[i : i + size] for i in range(1, len(points), size))]
    return tuple(
        Point(
            fmean(point.updates for point in group),
            fmean(point.seconds for point in group),
            fmean(point.loss for point in group),
        )
        for group in groups
    )
