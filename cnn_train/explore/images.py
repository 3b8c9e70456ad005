"""The images of a page: those of the validation split, and files that a user gives.

The test split is never opened: what is tried out here may change what is trained next.

Shape letters: N images, C channels, H W pixels.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..data.dataset import DataAccess
from ..data.image_set import ImageSet
from ..data.images.files import load_image
from ..data.images.square import Reading, fit_square
from ..errors import DataError, in_one_line
from ..evaluation.evaluate import check_fit, load_split
from ..inference.received_file import received_file
from ..inference.trained_model import TrainedModel
from .question import pack_pixels

MOST_MEASURED = 1000
"""Images of the split, spread evenly, that are searched for mistakes and for strong patches."""
PREVIEW_PX = 320


def load_images(
    trained: TrainedModel, access: DataAccess, data_root: Path | None
) -> tuple[ImageSet | None, str | None]:
    """Return the model's validation images; without any, why, unless ``data_root`` was given."""
    try:
        images = load_split(trained, "val", access, data_root)
        check_fit(trained, images, "validation")
    except DataError as problem:
        if data_root is not None:
            raise
        return None, in_one_line(problem)
    return images, None


def read_received(name: str, content: bytes, reading: Reading) -> dict[str, Any]:
    """Read the bytes of an image file; DataError, which begins with ``name``, for a bad one."""
    with received_file(name, content) as path:
        try:
            return read_file(path, reading) | {"name": name}
        except DataError as problem:
            reason = in_one_line(problem).removeprefix(in_one_line(f"{path}: "))
            raise DataError(f"{in_one_line(name)}: {reason}") from None


def read_file(path: Path, reading: Reading) -> dict[str, Any]:
    """Read an image file as `predict` does: its square pixels, and a small picture of it whole."""
    pixels_HWC = load_image(path, reading.grey_bits).pixels_HWC
    square_HWC = fit_square(pixels_HWC, reading.size_px, reading.fit)
    preview_CHW = _preview(torch.tensor(pixels_HWC).permute(2, 0, 1))
    _, height, width = preview_CHW.shape
    return {
        "name": path.name,
        "pixels": pack_pixels(torch.tensor(square_HWC).permute(2, 0, 1)),
        "preview": {"width": width, "height": height, "pixels": pack_pixels(preview_CHW)},
    }


def _preview(image_CHW: Tensor) -> Tensor:
    """Shrink an image to at most PREVIEW_PX a side."""
    step = max(1, max(image_CHW.shape[1:]) // (4 * PREVIEW_PX))
    sampled_CHW = image_CHW[:, ::step, ::step]  # a photograph of 50 megapixels as floats: 600 MB
    share = min(1.0, PREVIEW_PX / max(sampled_CHW.shape[1:]))
    size = [max(1, round(share * side)) for side in sampled_CHW.shape[1:]]
    small_CHW = F.interpolate(sampled_CHW[None].float(), size, mode="bilinear", antialias=True)[0]
    return small_CHW.round().clamp(0, 255).to(torch.uint8)
