"""Wall-clock times that include the work a device still has queued."""

import time

import torch


def synchronize(device: torch.device) -> None:
    """Wait until the device has done everything that was asked of it; a CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def now(device: torch.device) -> float:
    """Return the time in seconds, from an arbitrary start, once the device's queue is empty."""
    synchronize(device)
    return time.perf_counter()
