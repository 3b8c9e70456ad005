"""Describe what a result depends on besides its config."""

import platform

import torch

from ..version import __version__
from .device import Device, processor_name
from .processes import ALONE, World


def describe_environment(device: Device, world: World = ALONE) -> dict[str, str]:
    """Name the versions and the hardware that a result depends on."""
    return {
        "cnn_train": __version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": str(device.torch_device),
        "processor": processor_name(device),
        "threads": str(torch.get_num_threads()),
        "processes": str(world.size),
    }
