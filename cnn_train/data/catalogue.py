"""Every dataset by the name configs use."""

from .cifar10.dataset import CIFAR10Config
from .dataset import DatasetConfig
from .folder.dataset import FolderConfig
from .shapes.dataset import ShapesConfig

DATASETS: dict[str, type[DatasetConfig]] = {
    "cifar10": CIFAR10Config,
    "folder": FolderConfig,
    "shapes": ShapesConfig,
}
