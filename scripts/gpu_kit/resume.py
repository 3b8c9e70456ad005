"""Step ``resume``: equal bits from ``--deterministic``, stopped or not; and a change of device."""

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import count, islice

import torch
from benchmarks.rows import Row, Target
from torch.utils._pytree import keystr, tree_flatten_with_path

from cnn_train.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from cnn_train.data.image_set import ImageSet
from cnn_train.errors import InterruptedRun
from cnn_train.experiment import ExperimentConfig
from cnn_train.machine.device import resolve_device
from cnn_train.random_streams import make_deterministic
from cnn_train.training.building import build_session
from cnn_train.training.fit import Supervision, fit
from cnn_train.training.resuming import resume_session

from .attempt import attempt, single
from .kit import Kit

RECIPES = {
    "resnet18": (),
    "speedrun_gpu": ("ema_decay=0.9",),
    "speedrun_gpu, compiled": ("compile=true",),
    "resnet18, replayed": ("cuda_graphs=true",),
}
TOY_RECIPES = ("speedrun_gpu",)
NUM_IMAGES, BATCH_SIZE, STOP_AFTER = 1024, 128, 3
EPOCHS = 3


@dataclass(frozen=True)
class Recipe:
    """A config with its images: 1024 of them, so that an epoch has 8 updates."""

    kit: Kit
    config: ExperimentConfig
    images: tuple[ImageSet, ImageSet]

    @cached_property
    def straight(self) -> Checkpoint:
        """What training without a stop ends in, on the kit's device."""
        return self.train(self.kit.device)

    def train(
        self,
        device: str,
        state: Checkpoint | None = None,
        *,
        stop_after: int | None = None,
        epochs: int = EPOCHS,
    ) -> Checkpoint:
        """Train from ``state`` on for some epochs or minibatches; return what was saved."""
        session = build_session(self.config, *self.images, resolve_device(device))
        if state:
            resume_session(session, state)
        looks = count(1)
        training = fit(session, Supervision(should_stop=lambda: next(looks) == stop_after))
        with suppress(InterruptedRun):
            for _ in islice(training, epochs):
                pass
        path = self.kit.scratch / "state.ckpt"
        save_checkpoint(session.checkpoint(), path)
        return load_checkpoint(path)


def rows(kit: Kit, _: str) -> Iterator[Row]:
    """Train each recipe straight, again, and interrupted; one of them on both devices in turn."""
    make_deterministic(resolve_device(kit.device).torch_device)
    names = TOY_RECIPES if kit.toy else RECIPES  # at toy size they are all one
    recipes = {name: load(kit, name.split(",")[0], RECIPES[name]) for name in names}
    for name, recipe in recipes.items():
        yield attempt("resume", f"{name}: the same run twice", repeat, recipe)
        yield attempt("resume", f"{name}: stopped, resumed", repeat, recipe, STOP_AFTER)
    row = f"cpu, {kit.device}, cpu: one epoch on each"
    yield attempt("resume", row, change_device, recipes["speedrun_gpu"], kit.device)


def repeat(name: str, recipe: Recipe, stop_after: int | None = None) -> Row:
    """Train straight, and once more: from the start, or stopped and resumed from a file."""
    device = recipe.kit.device
    stopped = recipe.train(device, stop_after=stop_after) if stop_after else None
    return same_bits(name, recipe.straight, recipe.train(device, stopped))


def load(kit: Kit, stem: str, more: tuple[str, ...]) -> Recipe:
    """Load the recipe, with few images, for as many epochs as devices take turns."""
    size = 16 if kit.toy else BATCH_SIZE
    config = kit.config(stem, f"batch_size={size}", f"epochs={EPOCHS}", *more)
    train, val = kit.training_images(config)
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randperm(len(train), generator=generator)[:NUM_IMAGES]
    return Recipe(kit, config, (train.select(chosen), val))


def same_bits(name: str, first: Checkpoint, second: Checkpoint) -> Row:
    """Count the tensors of two states that differ in any bit: weights, their average, momenta."""
    one, other = all_tensors(first), all_tensors(second)
    assert one.keys() == other.keys()
    different = [key for key, value in one.items() if not torch.equal(value, other[key])]
    return single(
        "resume", name, "tensors that differ", len(different),
        target=Target("none", not different), note=", ".join(different[:3]),
    )  # fmt: skip


def all_tensors(state: Checkpoint) -> dict[str, torch.Tensor]:
    """Return every tensor of a state that came from a file, by its place in it."""
    parts = {"model": state.model, "average": state.averaged_model, "optimizer": state.optimizer}
    leaves = tree_flatten_with_path(parts)[0]
    return {keystr(path): value for path, value in leaves if isinstance(value, torch.Tensor)}


def change_device(name: str, recipe: Recipe, device: str) -> Row:
    """Train an epoch on the CPU, one on the device, one on the CPU; compare with the CPU alone."""
    alone, state = recipe.train("cpu"), None
    for place in ("cpu", device, "cpu"):
        state = recipe.train(place, state, epochs=1)
    assert state
    changed, expected = (ending.records[-1]["val_loss"] for ending in (state, alone))
    return single(
        "resume", name, "difference of the validation loss", abs(changed - expected) / expected,
        target=Target("goes on", math.isfinite(changed) and state.step == alone.step),
        note=f"{changed:.4f}; on the CPU alone {expected:.4f}",
    )  # fmt: skip
