"""The rows of the table: a network, a config that ships, and what a row changes in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from part_program import choose_parts

from cnn_train.config.loading import load_experiment
from cnn_train.config.shipped import shipped_configs
from cnn_train.experiment import ExperimentConfig

SEVERAL = 3
"""Seeds of what trains in less than five minutes on two cores."""


@dataclass(frozen=True)
class Recipe:
    """One row to be measured.

    settings: what it changes in the config, as for ``--set``. seeds: how many runs it asks for.
    wants_gpu: its schedule takes hours on two CPU cores.
    """

    network: str
    config: str
    settings: tuple[str, ...] = ()
    seeds: int = 1
    wants_gpu: bool = False

    def load(self, *more: str) -> ExperimentConfig:
        """Load its experiment, with ``more`` settings after its own."""
        path = shipped_configs()[self.config]
        return load_experiment(path, (*self.settings, *more), ExperimentConfig)


def with_hinge(cross_entropy: Recipe, rate: str) -> Recipe:
    """Return the recipe under the hinge loss, whose gradient is longer: its rate is its own.

    Muon's steps have a length of their own; there the rate is that of all but the filters.
    """
    settings = (*cross_entropy.settings, "loss={name: hinge}", f"optimizer.{rate}")
    return replace(cross_entropy, settings=settings)


CROSS_ENTROPY = {
    "linear_cross_entropy": Recipe("linear", "linear_cross_entropy", seeds=SEVERAL),
    "hog_linear": Recipe("HOG, linear", "hog_linear", seeds=SEVERAL),
    "lenet_cross_entropy": Recipe("LeNet-5", "lenet_cross_entropy", seeds=SEVERAL),
    "mlp": Recipe("MLP", "mlp", seeds=SEVERAL),
    "fastnet_small": Recipe("FastNet, small", "fastnet_small", seeds=SEVERAL),
    "fast_cpu": Recipe("FastNet", "fast_cpu", seeds=SEVERAL),
    "vgg16_quarter_width": Recipe("VGG-16, quarter width", "vgg16_quarter_width", seeds=SEVERAL),
    "resnet20_short": Recipe("ResNet-20", "resnet20_short", seeds=SEVERAL),
    "speedrun_cpu": Recipe("FastNet, speedrun", "speedrun_cpu"),
    "wrn16_2": Recipe("WRN-16-2", "wrn16_2"),
    "vgg16_half_width": Recipe("VGG-16, half width", "vgg16_half_width"),
    "resnet56_short": Recipe("ResNet-56", "resnet56_short"),
    "densenet_small": Recipe("DenseNet-121, growth 12", "densenet_small"),
    "mobilenet_v2_short": Recipe("MobileNetV2", "mobilenet_v2_short"),
    "resnet18_short": Recipe("ResNet-18", "resnet18_short"),
}  # fmt: skip
"""From the cheapest to the dearest."""

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
    "resnet56_short": "lr=0.07",
    "densenet_small": "lr=0.07",
    "mobilenet_v2_short": "lr=0.07",
    "resnet18_short": "lr=0.07",
}
HINGE = {
    "linear_hinge": Recipe("linear", "linear_hinge", seeds=SEVERAL),
    "lenet_hinge": Recipe("LeNet-5", "lenet_hinge", seeds=SEVERAL),
    **{
        f"{name}_hinge": with_hinge(CROSS_ENTROPY[name], rate) for name, rate in HINGE_RATES.items()
    },
}

FOR_A_GPU = {
    "speedrun_gpu": Recipe("FastNet, speedrun", "speedrun_gpu", wants_gpu=True),
    "speedrun96_gpu": Recipe("FastNet, wide", "speedrun96_gpu", wants_gpu=True),
    "resnet20": Recipe("ResNet-20, 200 epochs", "resnet20", wants_gpu=True),
    "vgg16_cross_entropy": Recipe("VGG-16", "vgg16_cross_entropy", wants_gpu=True),
    "vgg16_hinge": Recipe("VGG-16", "vgg16_hinge", wants_gpu=True),
    "resnet18": Recipe("ResNet-18, 200 epochs", "resnet18", wants_gpu=True),
    "wrn28_10": Recipe("WRN-28-10", "wrn28_10", wants_gpu=True),
}

_NETWORKS = [recipe.network for recipe in CROSS_ENTROPY.values()]
RECIPES = (
    dict(sorted((CROSS_ENTROPY | HINGE).items(), key=lambda item: _NETWORKS.index(item[1].network)))
    | FOR_A_GPU
)
"""All rows in the order of the table: a network's two losses beside each other."""


def choose_recipes(names: str | None) -> dict[str, Recipe]:
    """Return the recipes of a list of rows, comma between them; None: those for two CPU cores.

    Raises UsageError for a row that is not known.
    """
    if names is None:
        return {name: recipe for name, recipe in RECIPES.items() if not recipe.wants_gpu}
    return {name: RECIPES[name] for name in choose_parts(names, RECIPES, "--rows")}


def units(recipes: dict[str, Recipe], num_seeds: int | None) -> Sequence[tuple[str, int]]:
    """Return each row and seed to measure, first seeds first: every row soon has a value."""
    wanted = {name: num_seeds or recipe.seeds for name, recipe in recipes.items()}
    rounds = range(max(wanted.values(), default=0))
    return [(name, seed) for seed in rounds for name in recipes if seed < wanted[name]]
