"""Step ``agreement``: the same updates on the CPU and on the GPU, for every architecture.

Weights, order and augmentation are drawn on the CPU, so both start equal and see equal images; what
differs is rounding. The first loss shows a wrong forward pass, the second a wrong gradient or
update; over more updates rounding grows, in a network with batch norm quickly: that is not judged.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from benchmarks.rows import Row, Target
from benchmarks.sample_images import make_noise
from benchmarks.sessions import start_session
from torch import Tensor

from cnn_train.data.image_set import ImageSet
from cnn_train.machine.device import Device, PrecisionName, resolve_device
from cnn_train.models import ARCHITECTURES

from .attempt import attempt, single
from .kit import Kit

NUM_UPDATES, TOY_NUM_UPDATES = 20, 2
TOY_ARCHITECTURES = ("linear", "lenet")
BATCH_SIZE = 8
SETTINGS = {"optimizer": {"name": "sgd", "lr": 0.01, "momentum": 0.9}}

# How far the first loss may be off, relatively; the second ten times as far. TF32 has 10 bits
# behind the point; by the 7 of bfloat16 no first loss was off by more than 6e-4 on a CPU.
FORMATS: dict[str, tuple[PrecisionName, float]] = {
    "float32": ("float32", 1e-4),
    "float32 by TF32, as fit does it": ("float32", 2e-3),
    "bfloat16": ("bfloat16", 1e-2),
}


Trace = tuple[Tensor, Tensor]
"""The losses of some updates, and all weights after the last."""


def rows(kit: Kit, _: str) -> Iterator[Row]:
    """Compare every number format of the device with float32 on the CPU."""
    num_updates = TOY_NUM_UPDATES if kit.toy else NUM_UPDATES
    images = make_noise(num_updates * BATCH_SIZE), make_noise(20, seed=1)
    device = resolve_device(kit.device)
    for name in TOY_ARCHITECTURES if kit.toy else ARCHITECTURES:
        expected = train(name, images, resolve_device("cpu"), "float32")
        for shown, (precision, tolerance) in FORMATS.items():
            with exact_products() if shown == "float32" else nullcontext():
                train_there = partial(train, name, images, device, precision)
                yield attempt(
                    "agreement", f"{name}, {shown}", compare, train_there, expected, tolerance
                )


def train(
    architecture: str, images: tuple[ImageSet, ImageSet], device: Device, precision: PrecisionName
) -> Trace:
    """Make one update per minibatch, without dropout, whose draws differ between devices."""
    session = start_session(
        architecture, images, device, BATCH_SIZE, precision=precision, **SETTINGS
    )
    for module in session.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    losses = [tally.loss for tally in session.train_rest_of_epoch()]
    weights = [value.detach().cpu().double().flatten() for value in session.model.parameters()]
    return torch.tensor(losses, dtype=torch.float64), torch.cat(weights)


@contextmanager
def exact_products() -> Iterator[None]:
    """Keep the GPU from rounding the factors of float32 products to TF32."""
    convolution: Any = torch.backends.cudnn.conv  # type: ignore[attr-defined]  # absent from stubs
    product = torch.backends.cuda.matmul
    before = convolution.fp32_precision, product.fp32_precision
    convolution.fp32_precision = product.fp32_precision = "ieee"
    try:
        yield
    finally:
        convolution.fp32_precision, product.fp32_precision = before


def compare(name: str, train_there: Callable[[], Trace], expected: Trace, tolerance: float) -> Row:
    """Report the largest relative difference of a loss, and that of all weights together."""
    (losses, weights), (expected_losses, expected_weights) = train_there(), expected
    differences = (losses - expected_losses).abs() / expected_losses.abs()
    weights_off = (weights - expected_weights).norm().item() / expected_weights.norm().item()
    first, second = differences[:2].tolist()
    return single(
        "agreement", name, "largest difference of a loss", differences.max().item(),
        target=Target(
            f"first loss within {tolerance:g}, second within {10 * tolerance:g}",
            first <= tolerance and second <= 10 * tolerance,
        ),
        note=f"first {first:.1e}, second {second:.1e}, weights at the end {weights_off:.1e}",
    )  # fmt: skip
