from typing import Any

import torch
from torch import Tensor, nn

from cnn_train.acceleration.convolutions import ReplacedConvolutions, keeps_size


def zeros_where_the_size_stays(x_BCHW: Tensor, weight: Tensor, *geometry: Any) -> Tensor | None:
    return torch.zeros_like(x_BCHW) if keeps_size(weight, *geometry) else None


def test_convolutions_that_keep_the_maps_size_are_replaced_and_no_others() -> None:
    frozen = nn.Conv2d(4, 4, 3, padding=1, bias=False).requires_grad_(False)
    taken = {
        "plain": (nn.Conv2d(4, 4, 3, padding=1, bias=False), True),
        "five by five": (nn.Conv2d(4, 4, 5, padding=2, bias=False), True),
        "stride": (nn.Conv2d(4, 4, 3, stride=2, padding=1, bias=False), False),
        "no padding": (nn.Conv2d(4, 4, 3, bias=False), False),
        "bias": (nn.Conv2d(4, 4, 3, padding=1), False),
        "grouped": (nn.Conv2d(4, 4, 3, padding=1, groups=2, bias=False), False),
        "dilated": (nn.Conv2d(4, 4, 3, padding=2, dilation=2, bias=False), False),
        "same": (nn.Conv2d(4, 4, 3, padding="same", bias=False), False),
        "oblong": (nn.Conv2d(4, 4, (3, 1), padding=(1, 0), bias=False), False),
        "not trained": (frozen, False),
    }
    for name, (layer, expected) in taken.items():
        x = torch.ones(1, 4, 6, 6)
        with ReplacedConvolutions(zeros_where_the_size_stays):
            y = layer(x)
        assert bool((y == 0).all()) == expected, name
        assert expected or torch.equal(y, layer(x)), name
