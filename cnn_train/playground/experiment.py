"""One experiment: the project's training loop, losses and optimiser on the points of a toy set.

Shape letters: N points, B minibatch, F features.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from ..data.batches import Batch, plan_epoch
from ..errors import DivergedError
from ..losses import LOSSES
from ..losses.regularization import REGULARIZATIONS
from ..metrics.tally import Tally
from ..optim.schedules import ConstantConfig, Pace
from ..optim.sgd import SGDConfig
from ..random_streams import make_generator, seeded
from ..training.loop import measure, train_epoch
from ..training.update_guard import NotFiniteError, UpdateGuard
from .network import ToyNetwork, compute_features
from .settings import PlaygroundSettings
from .toy_sets import draw_toy_set

Numbers = TypeVar("Numbers", float, Tensor)
"""Of a single weight, or of a whole parameter."""


class Change(NamedTuple, Generic[Numbers]):
    """A parameter in one update: w after = w before − η · velocity.

    ``gradient`` is that of the whole loss, ``pull`` the part of it that comes from λR(W). Without
    momentum the velocity is the gradient.
    """

    before: Numbers
    gradient: Numbers
    pull: Numbers
    velocity_before: Numbers
    velocity: Numbers
    after: Numbers


@dataclass(frozen=True)
class Update:
    """One step of training, with a change for each of the network's parameters."""

    num_points: int
    loss: float
    penalty: float
    changes: dict[Tensor, Change[Tensor]]


@dataclass(frozen=True)
class Measures:
    """Loss and accuracy of both sets at the present weights. Losses are means, without λR(W)."""

    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float


class Experiment:
    """A network, its points and the state of training; ``step``: updates so far."""

    def __init__(self, settings: PlaygroundSettings) -> None:
        self.settings = settings
        self.train, self.test = draw_toy_set(
            settings.dataset, settings.points, settings.noise, settings.train_fraction,
            settings.seed,
        )  # fmt: skip
        with seeded(settings.seed, "weights"):
            self.network = ToyNetwork(len(settings.features), settings.hidden, settings.activation)
        self.loss_fn = LOSSES[settings.loss](name=settings.loss).build()
        price = {} if settings.regularization == "none" else {"strength": settings.strength}
        regularization = REGULARIZATIONS[settings.regularization].model_validate(price)
        self.penalty = regularization.build(self.network)
        self.optimizer = SGDConfig(
            lr=settings.learning_rate, momentum=settings.momentum, nesterov=False
        ).build(self.network)
        self.step = 0
        self.update: Update | None = None
        self.problem: str | None = None
        self._plan = plan_epoch(len(self.train), settings.batch_size)
        self._guard = UpdateGuard(self.network.parameters(), 0.0, torch.device("cpu"))
        self._is_watched = False
        self._noted: dict[Tensor, tuple[Tensor, Tensor, Tensor, Tensor]] = {}
        self._tallies: Iterator[Tally] = iter(())

    @property
    def steps_per_epoch(self) -> int:
        """Minibatches in one pass over the training points."""
        return len(self._plan)

    @property
    def epoch(self) -> int:
        """Epochs completed."""
        return self.step // self.steps_per_epoch

    def advance(self, num_steps: int) -> None:
        """Take ``num_steps`` steps, and keep the numbers of the last; raises DivergedError.

        After it diverged no further step is taken: the weights are those before the bad step.
        """
        if self.problem:
            raise DivergedError(self.problem)
        for remaining in reversed(range(num_steps)):
            self._is_watched = remaining == 0
            tally = self._take_step()
        if num_steps:
            self.update = Update(tally.num_examples, tally.loss, tally.penalty, self._changes())

    def measure(self) -> Measures:
        """Measure the training and the test points at the present weights."""
        sets = (self.train, self.test)
        batches = [Batch(self.features_of(points.points_N2), points.labels_N) for points in sets]
        train, test = (measure(self.network, self.loss_fn, [batch]) for batch in batches)
        return Measures(train.loss, train.accuracy, test.loss, test.accuracy)

    def features_of(self, points_N2: Tensor) -> Tensor:
        """Return features_NF of points, as the network sees them."""
        return compute_features(points_N2, self.settings.features)

    def _take_step(self) -> Tally:
        if self.step % self.steps_per_epoch == 0:
            self._tallies = train_epoch(
                self.network, self.loss_fn, self.penalty, self.optimizer,
                ConstantConfig().build(1, Pace(1)), self._batches(), self.step, self._before_update,
            )  # fmt: skip
        try:
            tally = next(self._tallies)
        except NotFiniteError as problem:
            self.problem = (
                f"epoch {self.epoch + 1}, step {self.step + 1}: the {problem.what} is not finite; "
                f"choose a learning rate below {self.settings.learning_rate:g}"
            )
            self.update = None  # an earlier step's numbers would not explain this step
            raise DivergedError(self.problem) from None
        self.step += 1
        return tally

    def _batches(self) -> Iterator[Batch]:
        """Yield the epoch's minibatches, in an order that the seed and its number decide.

        The training loop's images are features here: it passes them to the network unchanged.
        """
        generator = make_generator(self.settings.seed, "order", self.epoch)
        order_N = torch.randperm(len(self.train), generator=generator)
        for piece in self._plan:
            index_B = order_N[piece.start : piece.stop]
            points_B2 = self.train.points_N2[index_B]
            yield Batch(self.features_of(points_B2), self.train.labels_N[index_B])

    def _before_update(self, total: Tensor) -> None:
        """Refuse what is not finite; note weights, gradients and velocities of a watched step."""
        self._guard(total)
        if not self._is_watched:
            return
        parameters: list[Tensor] = list(self.network.parameters())
        for parameter, pull in zip(parameters, self._pulls(parameters), strict=True):
            assert parameter.grad is not None
            weights, gradient = parameter.detach().clone(), parameter.grad.clone()
            self._noted[parameter] = (weights, gradient, pull, self._velocity(parameter))

    def _pulls(self, parameters: list[Tensor]) -> Sequence[Tensor]:
        """Return the gradient of λR(W) alone, zero where it has none."""
        price = self.penalty()
        if not price.requires_grad:
            return [torch.zeros_like(parameter) for parameter in parameters]
        return torch.autograd.grad(price, parameters, allow_unused=True, materialize_grads=True)

    def _velocity(self, parameter: Tensor) -> Tensor:
        """Return the optimiser's running sum of gradients, zero before the first step."""
        velocity = self.optimizer.state[parameter].get("momentum_buffer")
        return torch.zeros_like(parameter) if velocity is None else velocity.detach().clone()

    def _changes(self) -> dict[Tensor, Change[Tensor]]:
        """Return the numbers noted before the last step, with the weights after it."""
        changes = {}
        for parameter, (before, gradient, pull, velocity_before) in self._noted.items():
            velocity = self._velocity(parameter) if self.settings.momentum else gradient
            after = parameter.detach().clone()
            changes[parameter] = Change(before, gradient, pull, velocity_before, velocity, after)
        return changes


def run_epochs(experiment: Experiment, num_epochs: int) -> Iterator[Measures]:
    """Train epoch by epoch; yield the measures after each. Raises DivergedError."""
    for _ in range(num_epochs):
        experiment.advance(experiment.steps_per_epoch)
        yield experiment.measure()
