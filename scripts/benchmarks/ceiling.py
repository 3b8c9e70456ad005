"""The machine's ceiling: the fastest arithmetic and the fastest copying that torch reaches on it.

Shape letters: B images, C channels, H W pixels.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from cnn_train.machine.device import Device, multiplies_bfloat16
from cnn_train.machine.stopwatch import now

from .measuring import Spread, take_turns, times_to_fill
from .rows import Row

DTYPES = (torch.bfloat16, torch.float32)

Work = tuple[Callable[[], object], float]
"""Something to do, and its amount: floating-point operations, or bytes."""


@dataclass(frozen=True)
class Amounts:
    """How much is computed: matrices of some sides, a convolution, bytes copied.

    convolution: images, channels in and out, and their side. seconds: for each measurement.
    """

    sides: tuple[int, ...]
    convolution: tuple[int, int, int] = (64, 128, 32)  # of the middle of a ResNet
    copied_bytes: int = 2**28
    seconds: float = 0.5


AMOUNTS = {"cpu": Amounts((512, 1024, 2048, 4096)), "cuda": Amounts((2048, 4096, 8192))}
QUICK_AMOUNTS = Amounts((512, 1024), copied_bytes=2**26, seconds=0.05)


@dataclass(frozen=True)
class Ceiling:
    """What each piece of arithmetic reached in TFLOP/s, by its name; and the copying, in GB/s.

    A name ends with the number format, ``float32`` or ``bfloat16``.
    """

    tflops: dict[str, Spread]
    copy_gb_per_second: Spread

    def best(self, precision: str) -> float:
        """Return the highest median TFLOP/s in a number format."""
        return max(s.median for name, s in self.tflops.items() if name.split()[-1] == precision)


def ceiling_rows(ceiling: Ceiling) -> Iterator[Row]:
    """Report everything that was tried; the best per number format is the ceiling."""
    for name, spread in ceiling.tflops.items():
        share = spread.median / ceiling.best(name.split()[-1])
        yield Row(
            "ceiling", name, "TFLOP/s", spread, tflops=spread.median, of_ceiling=share,
            note="the ceiling" if share == 1 else "",
        )  # fmt: skip
    yield Row(
        "ceiling", "copy", "GB/s", ceiling.copy_gb_per_second, note="bytes read and bytes written"
    )


def measure_ceiling(device: Device, amounts: Amounts, repeats: int) -> Ceiling:
    """Time every piece of work in turns, each long enough for the clock."""
    where, budget = device.torch_device, amounts.seconds
    speeds: dict[str, Callable[[], float]] = {}
    for dtype in DTYPES:
        name = str(dtype).removeprefix("torch.")
        emulated = dtype == torch.bfloat16 and not multiplies_bfloat16(where)
        for side in amounts.sides[:1] if emulated else amounts.sides:  # else it takes minutes
            product = matrix_product(side, dtype, where)
            speeds[f"{side}×{side} product {name}"] = _speed(product, 1e12, budget, where)
        if emulated:
            continue
        convolving = convolution(amounts.convolution, dtype, where)
        speeds[f"3×3 convolution {name}"] = _speed(convolving, 1e12, budget, where)
    speeds["copy"] = _speed(copy(amounts.copied_bytes, where), 1e9, budget, where)
    samples = take_turns(speeds, repeats, warm_up=False)
    spreads = {name: Spread.of(values) for name, values in samples.items()}
    return Ceiling(copy_gb_per_second=spreads.pop("copy"), tflops=spreads)


def matrix_product(side: int, dtype: torch.dtype, device: torch.device) -> Work:
    """Return the product of two square matrices, and its floating-point operations."""
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    return lambda: left @ right, 2.0 * side**3


def convolution(shape: tuple[int, int, int], dtype: torch.dtype, device: torch.device) -> Work:
    """Return a 3×3 convolution's forward pass in channels_last, and its operations."""
    num, channels, side = shape
    images_BCHW, kernels = (
        torch.randn(sizes, device=device).to(dtype, memory_format=torch.channels_last)
        for sizes in ((num, channels, side, side), (channels, channels, 3, 3))
    )

    def convolve() -> object:
        with torch.no_grad():
            return F.conv2d(images_BCHW, kernels, padding=1)

    return convolve, 2.0 * num * side**2 * channels**2 * 9


def copy(num_bytes: int, device: torch.device) -> Work:
    """Return a copy too large for the caches, and the bytes that it moves both ways."""
    source = torch.ones(num_bytes, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return lambda: target.copy_(source), 2.0 * num_bytes


def _speed(
    work: Work, unit: float, budget_seconds: float, device: torch.device
) -> Callable[[], float]:
    """Return a measurement of amount per second over as many calls as fill the budget."""
    do, amount = work

    def seconds(times: int) -> float:
        started = now(device)
        for _ in range(times):
            do()
        return now(device) - started

    do()
    times = times_to_fill(budget_seconds, seconds(1))
    return lambda: amount / unit * times / seconds(times)
