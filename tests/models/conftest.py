"""Every architecture of the zoo, thin enough to run in milliseconds."""

from collections.abc import Callable, Iterator

import pytest
import torch
from thin_networks import THIN
from torch import nn

from cnn_train.models import ARCHITECTURES

BuildThin = Callable[..., nn.Module]


@pytest.fixture
def build_thin() -> BuildThin:
    """Build a named architecture with few maps, from a fixed seed."""

    def build(
        name: str,
        num_classes: int = 10,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        seed: int = 0,
    ) -> nn.Module:
        config_type = ARCHITECTURES[name]
        torch.manual_seed(seed)
        config = config_type(name=name, **THIN.get(config_type.__name__, {}))
        return config.build(num_classes, image_shape)

    return build


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Use one thread: thin networks only lose time to more, and sums keep their order."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(num_threads)
