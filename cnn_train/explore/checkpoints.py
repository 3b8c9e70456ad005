"""The checkpoints of a run from its first to its last, each opened when it is looked at."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from os.path import exists, isdir  # they never raise
from pathlib import Path

from torch import Tensor

from ..checkpoints.checkpoint import load_checkpoint
from ..errors import CheckpointError, UsageError
from ..inference.trained_model import TrainedModel, restore_trained_model
from ..runs.branch import left_run, states_from_start
from ..runs.directory import RunDirectory, at_best
from ..runs.history import split_step
from ..visualize.request import Request, Subjects
from ..visualize.top_patches import Places
from .layers import Layer, list_layers
from .question import Question, read_pixels

MOST_NUMBERS_KEPT = 100_000_000
"""Of the weights of all networks that are kept open; one is kept however large it is."""


@dataclass(frozen=True)
class Choice:
    """A checkpoint to choose: after ``step`` updates, ``epoch`` of them complete epochs."""

    key: str
    name: str
    path: Path
    step: int
    epoch: int


@dataclass(frozen=True)
class Left:
    """The run that a branch left after ``step`` updates, and its checkpoints from there on."""

    name: str
    step: int
    choices: list[Choice]


def list_choices(given: Path, evaluated: Path) -> tuple[list[Choice], str, Left | None]:
    """List the checkpoints of the run that was given, by their step, and the key of ``evaluated``.

    Of a file that was given itself, that one alone. A branch has the states of the run that it left
    up to there, for they are its own; what became of that run is the third answer.
    """
    folder = at_best(split_step(given)[0])
    if not isdir(folder):  # noqa: PTH112
        checkpoint = load_checkpoint(evaluated)
        name = f"{evaluated.name}, epoch {checkpoint.epoch}"
        return [Choice("file", name, evaluated, checkpoint.step, checkpoint.epoch)], "file", None
    run = RunDirectory(folder.resolve())
    states, ends = states_from_start(run), _epoch_ends(run)
    paths = {"best": run.best_checkpoint, "last": run.last_checkpoint}
    paths |= {path.stem: path for path in states.values()}
    choices: dict[int, Choice] = {}
    for key, path in paths.items():
        if exists(path) and (step := _step_of(path, states)) not in choices:  # noqa: PTH110
            epoch = sum(end <= step for end in ends)
            when = f"step {step:,}" + (f", epoch {epoch}" if step in ends else "")
            name = f"{key}: {when}" if path not in states.values() else when
            choices[step] = Choice(key, name, path, step, epoch)
    default = choices[_step_of(evaluated, states)].key
    return sorted(choices.values(), key=lambda choice: choice.step), default, _left_by(run)


def _left_by(run: RunDirectory) -> Left | None:
    origin = left_run(run)
    if origin is None:
        return None
    other, left_at = origin
    later = {step: path for step, path in other.every_state.items() if step > left_at}
    choices = [Choice(f"left {step}", "", path, step, 0) for step, path in later.items()]
    return Left(other.path.name, left_at, choices)


def _step_of(path: Path, states: Mapping[int, Path]) -> int:
    """Return the updates of a checkpoint: a state's name says it, if it is one of them."""
    for step, state in states.items():
        if state.samefile(path):
            return step
    return load_checkpoint(path).step


def _epoch_ends(run: RunDirectory) -> list[int]:
    """Return after how many updates each epoch ended, as far as the run's metrics tell."""
    try:
        return [int(record["step"]) for record in run.load_metrics()]
    except (CheckpointError, KeyError):
        return []


@dataclass(frozen=True)
class Opened:
    """A checkpoint's network, with the images to measure it on.

    places: the strongest of those layers that were asked for, by their index.
    """

    choice: Choice
    request: Request
    places: dict[int, Places] = field(default_factory=dict)

    def inputs(self, question: Question) -> Tensor:
        """Return the image of a question as the network takes it, 1CHW."""
        trained = self.trained
        images_1CHW = read_pixels(question.pixels, trained.image_shape[1])
        return trained.normalization(images_1CHW.to(trained.device.torch_device))

    @property
    def trained(self) -> TrainedModel:
        """The network, ready for use."""
        return self.request.trained

    @cached_property
    def layers(self) -> list[Layer]:
        """Its layers, in their order."""
        return list_layers(self.trained.model, self.trained.image_shape)

    def layer(self, index: int) -> Layer:
        """Return the layer of this index; UsageError where there is none."""
        if not 0 <= index < len(self.layers):
            raise UsageError(
                f"layer {index}: the network has the layers 0 to {len(self.layers) - 1}"
            )
        return self.layers[index]


class OpenCheckpoints:
    """Opens checkpoints by their key, and keeps those open that were used last.

    trained: the default one, which is open already. left: whose later ones can be opened too.
    """

    def __init__(
        self,
        choices: Sequence[Choice],
        default: str,
        trained: TrainedModel,
        subjects: Subjects,
        left: Left | None = None,
    ) -> None:
        self.choices, self.left = {choice.key: choice for choice in choices}, left
        self._known = self.choices | {one.key: one for one in (left.choices if left else ())}
        self.default, self._first = default, trained.in_float32()
        self.subjects = subjects
        opened = Opened(self.choices[default], Request(self._first, subjects))
        self._open = OrderedDict({default: opened})

    def open(self, key: str = "") -> Opened:
        """Return the checkpoint of this key (none: the default): averaged weights, if it has any.

        Raises UsageError for an unknown key, CheckpointError for a file that is of no use.
        """
        key = key or self.default
        if key not in self._known:
            raise UsageError(f"checkpoint {key!r}: choose from {', '.join(self.choices)}")
        if key not in self._open:
            path = self._known[key].path
            trained = restore_trained_model(load_checkpoint(path), self._first.device, str(path))
            if _network(trained) != _network(self._first):
                raise CheckpointError(f"{path}: is of another network than the rest of the run")
            request = Request(trained.in_float32(), self.subjects)
            self._open[key] = Opened(self._known[key], request)
        self._open.move_to_end(key)
        sizes = [_num_numbers(opened) for opened in self._open.values()]
        while len(sizes) > 1 and sum(sizes) > MOST_NUMBERS_KEPT:
            self._open.popitem(last=False)
            del sizes[0]
        return self._open[key]


def _network(trained: TrainedModel) -> dict[str, object]:
    """Return what makes the network: all but dropout, which does nothing here."""
    return trained.config.model.model_dump(exclude={"dropout"})


def finite(opened: Opened, scores_NK: Tensor) -> Tensor:
    """Return the scores; CheckpointError where they are no numbers."""
    if not bool(scores_NK.isfinite().all()):
        path = opened.choice.path
        raise CheckpointError(f"{path}: the model returned NaN scores; choose another checkpoint")
    return scores_NK


def _num_numbers(opened: Opened) -> int:
    return sum(tensor.numel() for tensor in opened.trained.model.parameters())
