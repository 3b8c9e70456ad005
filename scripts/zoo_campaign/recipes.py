"""The rows of the table: a network, a config that ships, and what a row changes in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from part_program import choose_parts

from cnn_train.config.loading import load_experiment
from cnn_train.config.scalars import render_value
from cnn_train.config.shipped import shipped_configs
from cnn_train.data.dataset import DatasetConfig
from cnn_train.experiment import ExperimentConfig

SEVERAL = 3
"""Seeds of what trains in less than five minutes on two cores."""


@dataclass(frozen=True)
class Recipe:
    """One row to be measured.

    config: that ships. settings: what the row changes in it, as for ``--set``. seeds: how many runs
    it asks for. wants_gpu: its schedule takes hours on two CPU cores.
    """

    name: str
    network: str
    config: str
    settings: tuple[str, ...] = ()
    seeds: int = 1
    wants_gpu: bool = False

    def load(self, *more: str) -> ExperimentConfig:
        """Load its experiment, with ``more`` settings after its own."""
        path = shipped_configs()[self.config]
        return load_experiment(path, (*self.settings, *more), ExperimentConfig)

    def data(self, **place: str) -> str:
        """Write images at ``place``, split as the recipe splits them, as ``--set`` takes them."""
        share, field = self.load().data.val_fraction, DatasetConfig.model_fields["val_fraction"]
        split = {} if share == field.default else {"val_fraction": share}
        return f"data={render_value(place | split)}"


def as_shipped(config: str, network: str, seeds: int = 1, *, wants_gpu: bool = False) -> Recipe:
    """Return the row of a config as it ships."""
    return Recipe(config, network, config, seeds=seeds, wants_gpu=wants_gpu)


def with_hinge(cross_entropy: Recipe, rate: str) -> Recipe:
    """Return the recipe under the hinge loss, whose gradient is longer: its rate is its own.

    Muon's steps have a length of their own; there the rate is that of all but the filters.
    """
    settings = (*cross_entropy.settings, "loss={name: hinge}", f"optimizer.{rate}")
    return replace(cross_entropy, name=f"{cross_entropy.name}_hinge", settings=settings)


CROSS_ENTROPY = (
    as_shipped("linear_cross_entropy", "linear", SEVERAL),
    as_shipped("hog_linear", "HOG, linear", SEVERAL),
    as_shipped("lenet_cross_entropy", "LeNet-5", SEVERAL),
    as_shipped("mlp", "MLP", SEVERAL),
    as_shipped("fastnet_small", "FastNet, small", SEVERAL),
    as_shipped("fast_cpu", "FastNet", SEVERAL),
    as_shipped("vgg16_quarter_width", "VGG-16, quarter width", SEVERAL),
    as_shipped("resnet20_short", "ResNet-20"),
    as_shipped("speedrun_cpu", "FastNet, speedrun"),
    as_shipped("wrn16_2", "WRN-16-2"),
    as_shipped("vgg16_half_width", "VGG-16, half width"),
    as_shipped("resnet56_short", "ResNet-56"),
    as_shipped("densenet_small", "DenseNet-121, growth 12"),
    as_shipped("mobilenet_v2_short", "MobileNetV2"),
    as_shipped("resnet18_short", "ResNet-18"),
)
"""From the cheapest to the dearest."""

HINGE_CONFIGS = {
    "linear_cross_entropy": as_shipped("linear_hinge", "linear", SEVERAL),
    "lenet_cross_entropy": as_shipped("lenet_hinge", "LeNet-5", SEVERAL),
}
HINGE_RATES = {
    "hog_linear": "lr=0.001",
    "mlp": "lr=0.005",
    "fastnet_small": "lr=0.15",
    "fast_cpu": "lr=0.15",
    "vgg16_quarter_width": "lr=0.04",
    "resnet20_short": "lr=0.1",
    "speedrun_cpu": "sgd_lr=16",
    "wrn16_2": "lr=0.1",
    "vgg16_half_width": "lr=0.04",
    "resnet56_short": "lr=0.035",
    "densenet_small": "lr=0.07",
    "mobilenet_v2_short": "lr=0.02",
    "resnet18_short": "lr=0.035",
}
PAIRS = tuple(
    (one, HINGE_CONFIGS.get(one.name) or with_hinge(one, HINGE_RATES[one.name]))
    for one in CROSS_ENTROPY
)
"""Each network's recipe under cross-entropy and under the hinge loss."""

MORE_IMAGES = Recipe(
    "fast_cpu_49000", "FastNet, 49,000 images", "fast_cpu", ("data.val_fraction=0.02",), SEVERAL
)
"""What holding out a tenth of the training images costs, beside ``fast_cpu``."""

FOR_A_GPU = (
    as_shipped("speedrun_gpu", "FastNet, speedrun on a GPU", wants_gpu=True),
    as_shipped("speedrun96_gpu", "FastNet, wide", wants_gpu=True),
    as_shipped("resnet20", "ResNet-20, 200 epochs", wants_gpu=True),
    as_shipped("vgg16_cross_entropy", "VGG-16", wants_gpu=True),
    as_shipped("vgg16_hinge", "VGG-16", wants_gpu=True),
    as_shipped("resnet18", "ResNet-18, 200 epochs", wants_gpu=True),
    as_shipped("wrn28_10", "WRN-28-10", wants_gpu=True),
)

RECIPES = {
    one.name: one for one in (*(one for pair in PAIRS for one in pair), MORE_IMAGES, *FOR_A_GPU)
}
"""All rows in the order of the table."""


def choose_recipes(names: str | None) -> list[Recipe]:
    """Return the recipes of a list of rows, comma between them; None: those for two CPU cores.

    Raises UsageError for a row that is not known.
    """
    if names is None:
        return [recipe for recipe in RECIPES.values() if not recipe.wants_gpu]
    return [RECIPES[name] for name in dict.fromkeys(choose_parts(names, RECIPES, "--rows"))]


def units(recipes: Sequence[Recipe], num_seeds: int | None) -> list[tuple[Recipe, int]]:
    """Return each row and seed to measure, first seeds first: every row soon has a value."""
    wanted: Mapping[Recipe, int] = {one: num_seeds or one.seeds for one in recipes}
    rounds = range(max(wanted.values(), default=0))
    return [(one, seed) for seed in rounds for one in recipes if seed < wanted[one]]
