"""A real run that takes a second: drawn images, a small network, everything that a state can hold.

Batch norm has statistics, dropout draws from the global generator, the optimizer has momentum, an
average follows the weights, and there are states in the middle of epochs: a resume that forgets any
of it ends in other weights.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils._pytree import tree_flatten

from cnn_train.checkpoints.checkpoint import Checkpoint, load_checkpoint
from cnn_train.runs.directory import LATEST, RunDirectory

CONFIG = """\
data: {name: shapes, num_train: 80, num_test: 40, image_size: 16}
model: {name: wide_resnet, depth: 10, width: 1, dropout: 0.2}
optimizer: {name: sgd, lr: 0.05, momentum: 0.9}
augment: {flip: random, translate: 1, cutout: 2}
ema_decay: 0.9
batch_size: 12
epochs: 4
precision: float32
checkpoint: {every_steps: 2, every_seconds: 0, keep: 3, keep_history: log}
"""

CLOCKS = ("seconds", "images_per_second")
"""What an epoch's record says about time, which no two runs share."""


@dataclass(frozen=True)
class TinyRun:
    """A directory with one config and the runs of it: at most one of them gets anywhere."""

    directory: Path
    config: str = CONFIG

    @property
    def config_path(self) -> Path:
        """The file of the config; :attr:`arguments` writes it."""
        return self.directory / "tiny.yaml"

    @property
    def root(self) -> Path:
        """Where the run directories are."""
        return self.directory / "runs"

    @property
    def run(self) -> RunDirectory:
        """The run started or resumed last."""
        return RunDirectory((self.root / LATEST).resolve())

    @property
    def arguments(self) -> list[str]:
        """The one command that starts the run, goes on with it, and says when it is done.

        Decoded images are kept beside the run, so that another run decodes its own.
        """
        if not self.config_path.exists():
            self.config_path.write_text(self.config, "utf-8")
        places = ["--run-root", str(self.root), "--data-dir", str(self.directory / "data")]
        return ["fit", "--config", str(self.config_path), *places, "--resume", "auto"]

    def last(self) -> Checkpoint:
        """Load the state where the run stands."""
        return load_checkpoint(self.run.last_checkpoint)

    def equals(self, other: "TinyRun") -> bool:
        """Say whether both stand in the same state, bit for bit, with the same best and history."""
        ours, theirs = self.run, other.run
        pairs = [
            (ours.last_checkpoint, theirs.last_checkpoint),
            (ours.best_checkpoint, theirs.best_checkpoint),
            *zip(ours.history.values(), theirs.history.values(), strict=False),
        ]
        return list(ours.history) == list(theirs.history) and all(
            same_state(*map(load_checkpoint, pair)) for pair in pairs
        )


def same_state(one: Checkpoint, other: Checkpoint) -> bool:
    """Compare all that decides how a run goes on and what came of it; clocks are left out."""
    return same(_without_clocks(one), _without_clocks(other))


def _without_clocks(checkpoint: Checkpoint) -> dict[str, Any]:
    records = [{k: v for k, v in r.items() if k not in CLOCKS} for r in checkpoint.records]
    return vars(checkpoint) | {"records": records}


def same(one: Any, other: Any) -> bool:
    """Compare nested containers whose leaves may be tensors, bit for bit."""
    (leaves, structure), (others, other_structure) = tree_flatten(one), tree_flatten(other)
    return structure == other_structure and all(map(_same_leaf, leaves, others))


def _same_leaf(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    return type(one) is type(other) and bool(one == other)
