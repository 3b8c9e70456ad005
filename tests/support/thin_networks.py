"""The settings that keep every architecture of the zoo small, by its settings class."""

from typing import Any

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
