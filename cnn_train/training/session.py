"""A run in memory: its parts, how far it has come, and the checkpoint of that state."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice

import torch
from torch import nn

from ..checkpoints.checkpoint import Checkpoint, contiguous_state
from ..data.batches import Batch, TrainingBatches, evaluation_batch_size, evaluation_batches
from ..data.image_set import ImageSet
from ..data.normalization import Normalization
from ..data.selection import end_epoch
from ..experiment import ExperimentConfig
from ..losses.loss import LossFn
from ..losses.regularization import Penalty
from ..machine.device import Device, Precision, with_autocast
from ..machine.environment import describe_environment
from ..machine.processes import ALONE, World
from ..metrics.tally import Tally
from ..models.fine_tuning import let_body_learn, train_mode
from ..optim.averaging import WeightAverage
from ..optim.schedules import Pace, Schedule
from ..random_streams import generator_states, seed_global_generators
from .data_parallel import with_own_dropout
from .loop import Forward, measure, train_epoch
from .progress import Progress
from .update_guard import UpdateGuard


@dataclass
class Session:
    """A run's parts, and how far it has come. seen: hashes of all images ever trained on.

    losses_2N: those of data/selection.py, where they choose the images.
    """

    config: ExperimentConfig
    device: Device
    precision: Precision
    batches: TrainingBatches
    val_images: ImageSet
    seen: torch.Tensor
    data_fingerprints: dict[str, str]
    limit_batches: int | None
    model: nn.Module
    average: WeightAverage | None
    forward: Forward
    loss_fn: LossFn
    penalty: Penalty
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    pace: Pace
    losses_2N: torch.Tensor | None
    before_update: UpdateGuard
    world: World = ALONE
    progress: Progress = field(default_factory=Progress)

    @property
    def stopped_early(self) -> str | None:
        """Why the run has ended before its last epoch; None where it has not."""
        return self.config.stop.reason(self.progress.records, self.config.epochs)

    @property
    def is_complete(self) -> bool:
        """Whether no epoch is left to train."""
        return self.progress.epoch >= self.config.epochs or self.stopped_early is not None

    def learning_rate(self) -> float:
        """Return ``optimizer.lr`` as the schedule had it at the last update, without factors."""
        return self.config.optimizer.lr * self.schedule(max(self.progress.schedule_step - 1, 0))

    def normalize_as(self, checkpoint: Checkpoint) -> None:
        """Prepare images as those that the checkpoint's weights were trained on."""
        normalization = Normalization.from_lists(checkpoint.normalization)
        self.batches = replace(self.batches, normalization=normalization)

    def remember_images(self, checkpoint: Checkpoint) -> None:
        """Count the images that the checkpoint's weights were trained on as seen, too."""
        self.seen = torch.unique(torch.cat((self.seen, checkpoint.training_images)))

    def train_rest_of_epoch(self) -> Generator[Tally]:
        """Train from the current position to the epoch's end; yield each minibatch's tally."""
        epoch, position = self.progress.epoch, self.progress.position
        if first := self.config.fine_tuning.head_first_epochs:
            let_body_learn(self.model, self.optimizer, learns=epoch >= first)
        train_mode(self.model)
        self.optimizer.zero_grad(set_to_none=True)  # what a stopped update may have left
        if position == 0:
            seed_global_generators(self.config.seed, "dropout", epoch)
        with closing(self.batches.epoch(epoch, position)) as batches:
            yield from train_epoch(
                self.forward,
                self.loss_fn,
                self.penalty,
                self.optimizer,
                self.schedule,
                with_own_dropout(batches, self.world, self.config.seed, epoch, position),
                self.progress.schedule_step,
                self.before_update,
                self._note,
            )
        self.gather_losses()
        if self.losses_2N is not None:
            end_epoch(self.losses_2N)

    def _note(self, batch: Batch, scores_BK: torch.Tensor) -> None:
        """Keep each image's data loss where images are chosen by it, without waiting for a GPU."""
        if self.losses_2N is not None:
            losses_B = self.loss_fn(scores_BK, batch.labels_B, "none")
            self.losses_2N[1, batch.index_B] = losses_B.float()

    def gather_losses(self) -> None:
        """Learn the images' losses from all processes, each of which trains on other images."""
        if self.losses_2N is not None:
            self.world.keep_largest(self.losses_2N[1])

    def validate(self, should_stop: Callable[[], bool] = lambda: False) -> Tally | None:
        """Measure the validation images with the weights that a checkpoint would offer for use.

        Of several processes each measures every n-th minibatch; running batch statistics are
        the first one's, as in a checkpoint. None, in all of them, when ``should_stop`` says so.
        """
        model = self.average.module if self.average else self.model
        model.eval()
        self.world.share(model.buffers())
        forward = with_autocast(model, self.device, self.precision)
        batch_size = evaluation_batch_size(self.val_images.image_shape)
        normalization = self.batches.normalization
        own = evaluation_batches(self.val_images, normalization, batch_size, self.world)
        num_classes = len(self.val_images.class_names)
        tally = Tally.zero(num_classes)
        for _ in range(0, len(self.val_images), batch_size * self.world.size):
            if should_stop():
                return None
            tally += measure(forward, self.loss_fn, islice(own, 1), num_classes)
        return tally.over(self.world)

    def checkpoint(self, partial: Tally | None = None) -> Checkpoint:
        """Take the state at the last completed update.

        ``partial``: the tally of the epoch under way over all processes; None: this one's own.
        """
        return Checkpoint(
            config=self.config.model_dump(mode="json"),
            class_names=list(self.batches.images.class_names),
            image_shape=list(self.batches.images.image_shape),
            normalization=self.batches.normalization.as_lists(),
            data_fingerprints=self.data_fingerprints,
            model=contiguous_state(self.model),
            averaged_model=contiguous_state(self.average.module) if self.average else None,
            averaged_updates=self.average.num_updates if self.average else 0,
            optimizer=self.optimizer.state_dict(),
            generators=generator_states(),
            **self.progress.saved(partial),
            training_images=self.seen,
            limit_batches=self.limit_batches,
            precision=self.precision.name,
            environment=describe_environment(self.device, self.world),
            image_losses=None if self.losses_2N is None else self.losses_2N.cpu(),
        )
