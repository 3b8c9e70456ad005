"""The settings that keep every architecture of the zoo small, by its settings class."""

from typing import Any

import torch
from torch import nn

from cnn_train.models import ARCHITECTURES

THIN: dict[str, dict[str, Any]] = {
    "MLPConfig": {"hidden_sizes": (32, 16)},
    "FastNetConfig": {"widths": (8, 8, 16, 16)},
    "VGGConfig": {"width": 8},
    "CifarResNetConfig": {"width": 4},
    "ResNetConfig": {"width": 8},
    "WideResNetConfig": {"depth": 16, "width": 1},
    "MobileNetV2Config": {"width_multiplier": 0.25},
    "DenseNetConfig": {"growth": 4},
    "TorchvisionConfig": {"architecture": "shufflenet_v2_x0_5"},
}


def build_used(name: str, **settings: Any) -> nn.Module:
    """Build a thin network of three classes whose running statistics are no longer 0 and 1."""
    config_type = ARCHITECTURES[name]
    torch.manual_seed(0)
    config = config_type(name=name, **{**THIN.get(config_type.__name__, {}), **settings})
    model = config.build(3, (3, 32, 32)).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 2)
    return model
