"""Wall-clock times that include the work a device still has queued."""

import time

import torch


def now(device: torch.device) -> float:
    """Return the time in seconds, from an arbitrary start, once the device's queue is empty."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()
