"""The settings that every step gets, and its configs and images."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from cnn_train.config.loading import load_experiment
from cnn_train.data.dataset import DataAccess
from cnn_train.data.image_set import ImageSet
from cnn_train.data.splits import load_training_splits
from cnn_train.experiment import ExperimentConfig

REPOSITORY = Path(__file__).parents[2]
TOY_SETTINGS = (
    "model={name: fastnet, widths: [8, 8, 8, 8]}", "batch_size=16", "epochs=1",
    "data={name: shapes, num_train: 40, num_test: 20, val_fraction: 0.2}",
)  # fmt: skip


@dataclass(frozen=True)
class Kit:
    """One run of the kit.

    toy: every step in its smallest size, for a CPU. images: a folder with train/<class>/<image>
    and test alike; None: drawn images. peers: a folder that holds the other programs' scripts.
    out: where results go; scratch: gone afterwards. deadline: when the step under way is ended
    (time.time()).
    """

    device: str
    toy: bool
    seeds: int
    images: Path | None
    peers: Path | None
    out: Path
    scratch: Path
    deadline: float

    def seconds_left(self) -> float:
        """Return how long the step may still take."""
        return self.deadline - time.time()

    def to_json(self) -> str:
        """Write the kit down for a child process."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> "Kit":
        """Read what :meth:`to_json` wrote."""
        fields = json.loads(text)
        for name in ("images", "peers", "out", "scratch"):
            fields[name] = fields[name] and Path(fields[name])
        return cls(**fields)

    def config_file(self, stem: str) -> Path:
        """Return the path of a config that ships."""
        return REPOSITORY / "configs" / f"{stem}.yaml"

    def overrides(self, *more: str) -> list[str]:
        """Return the settings that give a config the kit's images and its size, and ``more``."""
        data = {"name": "folder", "root": str(self.images)} if self.images else {"name": "shapes"}
        settings = [f"data.{name}={json.dumps(value)}" for name, value in data.items()]
        return [*settings, *(TOY_SETTINGS if self.toy else ()), *more]

    def config(self, stem: str, *more: str) -> ExperimentConfig:
        """Load a config that ships, with the kit's images and ``more`` settings."""
        return load_experiment(self.config_file(stem), self.overrides(*more), ExperimentConfig)

    def access(self) -> DataAccess:
        """Return where decoded images are kept for the steps that follow."""
        return DataAccess(self.scratch / "data", offline=True)

    def training_images(self, config: ExperimentConfig) -> tuple[ImageSet, ImageSet]:
        """Load the images to train on and those to validate with."""
        return load_training_splits(config.data.located(), self.access())

    def test_images(self, config: ExperimentConfig, class_names: Sequence[str]) -> ImageSet:
        """Load the images that a finished model is evaluated on."""
        return config.data.located().load_test(self.access(), tuple(class_names))


def join(first: ImageSet, second: ImageSet) -> ImageSet:
    """Return the images of both: those to train on and those to validate with, as one set."""
    return replace(
        first,
        images_NCHW=torch.cat([first.images_NCHW[:], second.images_NCHW[:]]),
        labels_N=torch.cat([first.labels_N, second.labels_N]),
        names=first.names + second.names,
    )
