"""In float32, too, no architecture of the zoo may be slower than in a student's loop."""

from collections.abc import Iterator

import torch

from cnn_train.data.image_set import ImageSet
from cnn_train.models import ARCHITECTURES
from cnn_train.models.flops import count_flops

from .bench import Bench
from .rows import Row
from .sample_images import make_noise
from .sessions import make_config, start_session
from .train import compare_loops

PART = "float32"
NUM_IMAGES = 2_000
BATCH_SIZE, BATCH_SIZE_OF_LARGE = 128, 16
LARGE_FLOPS = 1.5e9  # of one image's forward pass: DenseNet-121, ResNet-34 and above
QUICK_MOST_FLOPS = 0.1e9


def float32_rows(bench: Bench) -> Iterator[Row]:
    """Compare the two loops in float32 on every architecture with its default settings."""
    images = make_noise(NUM_IMAGES), make_noise(20, seed=1)
    skipped = []
    for name in ARCHITECTURES:
        flops = _count_forward(name, images[0])
        if bench.quick and flops > QUICK_MOST_FLOPS:
            skipped.append(name)
            continue
        size = BATCH_SIZE_OF_LARGE if flops > LARGE_FLOPS else BATCH_SIZE
        session = start_session(name, images, bench.device, size, precision="float32")
        yield compare_loops(bench, PART, session, images[0], least=1.0)
    if skipped:
        bench.remarks.append(f"float32: left out under --quick: {', '.join(skipped)}")


def _count_forward(name: str, images: ImageSet) -> float:
    """Count one image's forward pass without drawing weights."""
    with torch.device("meta"):
        model = make_config(name, BATCH_SIZE).model.build(
            len(images.class_names), images.image_shape
        )
    return count_flops(model, images.image_shape).forward
