"""Networks so small, with whole numbers as weights, that all they do can be checked by hand.

Shape letters: C channels, H W pixels.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

IMAGE_CHW = (
    ((0, 1, 2, 1, 0), (1, 2, 0, 1, 1), (2, 0, 1, 0, 2), (0, 1, 2, 2, 1), (1, 0, 0, 1, 2)),
    ((1, 0, 0, 2, 1), (0, 2, 1, 0, 1), (1, 1, 0, 2, 0), (2, 0, 1, 1, 0), (0, 1, 2, 0, 1)),
)
FILTERS = (
    (((1, 0, -1), (2, 0, -2), (1, 0, -1)), ((0, 1, 0), (1, -4, 1), (0, 1, 0))),
    (((0, 1, 0), (0, 1, 0), (0, -1, 0)), ((1, 0, 0), (0, 0, 0), (0, 0, 1))),
)
ROWS = ((1, 0, -1, 2, 0, 1, 1, -1), (0, 2, 1, -1, 1, 0, -2, 1), (1, 1, 0, 0, -1, 2, 0, 1))
"""The weights of the fully connected layer: a row for each class."""


def make_tiny_network() -> tuple[nn.Sequential, Tensor]:
    """Make conv, bn, relu, pool, flatten and fc, and the image 1CHW for them, of 2 × 5 × 5."""
    model = nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(2, 2, 3, stride=2, padding=1),
            bn=nn.BatchNorm2d(2, eps=0.0),
            relu=nn.ReLU(),
            pool=nn.MaxPool2d(2, stride=1),
            flatten=nn.Flatten(),
            fc=nn.Linear(8, 3),
        )
    )
    values = {
        "conv.weight": FILTERS, "conv.bias": (1, 0),
        "bn.weight": (2, 1), "bn.bias": (1, 0), "bn.running_mean": (2, 1), "bn.running_var": (4, 1),
        "fc.weight": ROWS, "fc.bias": (0, 1, -1),
    }  # fmt: skip
    state = {name: torch.tensor(numbers, dtype=torch.float32) for name, numbers in values.items()}
    model.load_state_dict(state, strict=False)
    return model.eval(), torch.tensor(IMAGE_CHW, dtype=torch.float32)[None]
