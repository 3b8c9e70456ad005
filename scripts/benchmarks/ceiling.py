"""The machine's ceiling: the fastest arithmetic and the fastest copying that torch reaches on it.

Shape letters: B images, C channels, H W pixels.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from cnn_train.machine.device import Device
from cnn_train.machine.stopwatch import now

from .measuring import Spread, take_turns, times_to_fill
from .rows import Row

if TYPE_CHECKING:
    from .bench import Bench

DTYPES = (torch.bfloat16, torch.float32)
SIZES = {"cpu": (512, 1024, 2048, 4096), "cuda": (2048, 4096, 8192)}
QUICK_SIZES = (512, 1024)
CONVOLUTION = (64, 128, 32)  # images, channels in and out, side: the middle of a ResNet
COPIED_BYTES = 2**28
QUICK_COPIED_BYTES = 2**26


@dataclass(frozen=True)
class Ceiling:
    """What each piece of arithmetic reached: name -> TFLOP/s; and the copying, in GB/s."""

    tflops: dict[tuple[str, str], Spread] = field(default_factory=dict)
    copy_gb_per_second: Spread = field(default_factory=lambda: Spread.of([0.0]))

    def best(self, precision: str) -> float:
        """Return the highest median TFLOP/s in ``float32`` or ``bfloat16``."""
        return max(s.median for (name, _), s in self.tflops.items() if name == precision)


def ceiling_rows(bench: "Bench") -> Iterator[Row]:
    """Report everything that was tried; the best per number format is the ceiling."""
    ceiling = bench.ceiling
    for (precision, what), spread in ceiling.tflops.items():
        share = spread.median / ceiling.best(precision)
        note = "the ceiling" if share == 1 else ""
        yield Row(
            "ceiling", f"{what} {precision}", "TFLOP/s", spread,
            tflops=spread.median, of_ceiling=share, note=note,
        )  # fmt: skip
    yield Row(
        "ceiling", "copy", "GB/s", ceiling.copy_gb_per_second, note="bytes read and bytes written"
    )


def measure_ceiling(device: Device, quick: bool, repeats: int) -> Ceiling:
    """Time every piece of work in turns, each long enough for the clock."""
    where, budget = device.torch_device, 0.05 if quick else 0.5
    sizes = QUICK_SIZES if quick else SIZES.get(where.type, SIZES["cpu"])
    tries = {}
    for dtype in DTYPES:
        name = str(dtype).removeprefix("torch.")
        for size in sizes:
            tries[name, f"{size}×{size} product"] = matrix_product(size, dtype, where)
        tries[name, "3×3 convolution"] = convolution(dtype, where)
    speeds = {
        key: _speed(work, flops / 1e12, budget, where) for key, (work, flops) in tries.items()
    }
    copying, copied = copy(QUICK_COPIED_BYTES if quick else COPIED_BYTES, where)
    candidates = {str(key): measure for key, measure in speeds.items()}
    candidates["copy"] = _speed(copying, copied / 1e9, budget, where)
    samples = take_turns(candidates, repeats, warm_up=False)
    return Ceiling(
        {key: Spread.of(samples[str(key)]) for key in speeds}, Spread.of(samples["copy"])
    )


def matrix_product(
    size: int, dtype: torch.dtype, device: torch.device
) -> tuple[Callable[[], object], float]:
    """Return the product of two square matrices, and its floating-point operations."""
    left = torch.randn(size, size, device=device).to(dtype)
    right = torch.randn(size, size, device=device).to(dtype)
    return lambda: left @ right, 2.0 * size**3


def convolution(dtype: torch.dtype, device: torch.device) -> tuple[Callable[[], object], float]:
    """Return a 3×3 convolution's forward pass in channels_last, and its operations."""
    num, channels, side = CONVOLUTION
    images_BCHW = torch.randn(num, channels, side, side, device=device).to(
        dtype, memory_format=torch.channels_last
    )
    kernels = torch.randn(channels, channels, 3, 3, device=device).to(
        dtype, memory_format=torch.channels_last
    )

    def convolve() -> object:
        with torch.no_grad():
            return F.conv2d(images_BCHW, kernels, padding=1)

    return convolve, 2.0 * num * side**2 * channels**2 * 9


def copy(num_bytes: int, device: torch.device) -> tuple[Callable[[], object], float]:
    """Return a copy too large for the caches, and the bytes that it moves both ways."""
    source = torch.ones(num_bytes, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return lambda: target.copy_(source), 2.0 * num_bytes


def _speed(
    work: Callable[[], object], amount: float, budget_seconds: float, device: torch.device
) -> Callable[[], float]:
    """Return a measurement of amount per second over as many calls as fill the budget."""
    work()
    times = times_to_fill(budget_seconds, _seconds(work, 1, device))
    return lambda: amount * times / _seconds(work, times, device)


def _seconds(work: Callable[[], object], times: int, device: torch.device) -> float:
    started = now(device)
    for _ in range(times):
        work()
    return now(device) - started
