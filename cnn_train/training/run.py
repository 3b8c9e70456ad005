"""A run in order: load the settings, load the images, build the parts, train."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from ..data.dataset import DataAccess, DatasetConfig
from ..data.image_set import ImageSet
from ..data.splits import load_training_splits
from ..experiment import ExperimentConfig
from ..machine.processes import ALONE, World
from ..random_streams import make_deterministic
from .building import build_session
from .data_parallel import check_same_images, device_of
from .fit import UNSUPERVISED, Supervision, fit
from .progress import EpochRecord
from .session import Session


@dataclass(frozen=True)
class Job:
    """Where a run's settings and images come from, and how it is computed.

    fill_in: puts into the fresh network what the run starts from: nothing, the weights of another
    model, or a state to go on from. device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    """

    load_settings: Callable[[], ExperimentConfig]
    load_images: Callable[[DatasetConfig], tuple[ImageSet, ImageSet]]
    device: str = "auto"
    limit_batches: int | None = None
    deterministic: bool = False
    world: World = ALONE
    fill_in: Callable[[Session], None] = lambda session: None


def train_job(
    job: Job,
    supervise: Callable[[Session], AbstractContextManager[Supervision]] = (
        lambda session: nullcontext(UNSUPERVISED)
    ),
) -> Iterator[tuple[Session, EpochRecord]]:
    """Train a job from its settings to its last epoch; yield the session after each epoch.

    ``supervise`` is entered when everything is built, and left when the training ends; it gives
    the Supervision.
    """
    session = load_session(job)
    with supervise(session) as supervision:
        for record in fit(session, supervision):
            yield session, record


def load_session(job: Job) -> Session:
    """Load the settings, load the images, build the parts: all that comes before training.

    Raises ConfigError, DataError, UsageError or CheckpointError for what does not fit.
    """
    config = job.load_settings()
    device = device_of(job.world, job.device)
    if job.deterministic:
        make_deterministic(device.torch_device)
    train_images, val_images = job.load_images(config.data)
    session = build_session(config, train_images, val_images, device, job.limit_batches, job.world)
    job.fill_in(session)
    return session


def load_images(
    data: DatasetConfig, access: DataAccess, world: World = ALONE
) -> tuple[ImageSet, ImageSet]:
    """Load (train, validation); several processes go on when all have the same images."""
    with world.first_on_each_machine("images"):
        train_images, val_images = load_training_splits(data, access)
    world.meet("all images are loaded")
    check_same_images(train_images, val_images, world)
    return train_images, val_images
