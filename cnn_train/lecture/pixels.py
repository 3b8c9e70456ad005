"""What the computer sees: an image is a grid of numbers in [0, 255].

Where we see a cat, the computer has a table with a row for each line of pixels, and three numbers
per pixel: how much red, green and blue light. A picture of 800 × 600 pixels is

    600 rows · 800 columns · 3 channels = 1,440,000 numbers

The "semantic gap" is the way from these numbers to the word "cat". A network for small images does
not get all of them: usually its central square is scaled down (bicubic, antialiased) to
32 × 32 · 3 = 3,072 numbers, and each number p becomes

    (p / 255 − mean) / deviation

with the mean and the deviation of its channel in the training images.

Shape letters: H W pixels, C channels.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..data.images.files import load_image, stored_mode
from ..data.images.square import Reading, fit_square, notice_shape
from ..data.normalization import Normalization

CHANNEL_NAMES = ("red", "green", "blue")
USUAL = Reading(size_px=32)

STORED = {
    "1": "black or white, 1 bit", "L": "grey, 8 bits", "P": "numbers of a palette's colours",
    "LA": "grey with transparency", "PA": "numbers of a palette's colours, with transparency",
    "RGBA": "RGB with transparency", "CMYK": "CMYK inks, 8 bits each",
    "YCbCr": "YCbCr, 8 bits each", "LAB": "LAB colours, 8 bits each", "I": "grey, more than 8 bits",
    "I;16": "grey, 16 bits", "I;16B": "grey, 16 bits", "I;16L": "grey, 16 bits",
}  # fmt: skip
"""What a file of each Pillow mode holds; RGB needs no words."""


@dataclass(frozen=True)
class ChannelFacts:
    """The smallest, the mean and the largest of one channel's numbers."""

    name: str
    smallest: float
    mean: float
    largest: float


@dataclass(frozen=True)
class Inspection:
    """An image file as numbers, and what a network gets of it.

    mode, num_channels: the file's own, as Pillow names them. image_CHW: uint8, upright RGB, as
    decoded. seen_CHW: uint8, as ``predict`` shows it to the network. inputs_CHW: float32, as the
    network computes with them; None without a network. notices: decisions made to read the file.
    """

    path: str
    mode: str
    num_channels: int
    image_CHW: Tensor
    seen_CHW: Tensor
    inputs_CHW: Tensor | None
    notices: tuple[str, ...]

    @property
    def origin(self) -> str | None:
        """What the file holds, in words; None if it holds RGB of 8 bits."""
        if self.mode == "RGB":
            return None
        height, width = self.image_CHW.shape[1:]
        number = height * width * self.num_channels
        kind = STORED.get(self.mode, f"mode {self.mode}")
        shape = f"{height} × {width} × {self.num_channels} = {number:,} values"
        return f"the file holds {shape} ({kind}); below is what it is read as"

    def to_json(self, *, with_pixels: bool) -> dict[str, Any]:
        """Return the document that ``inspect --json`` prints; shapes are (H, W, C)."""
        seen = _describe(self.seen_CHW)
        if with_pixels:
            seen["pixels"] = dict(zip(CHANNEL_NAMES, self.seen_CHW.tolist(), strict=True))
        if self.inputs_CHW is not None:
            seen["inputs"] = [asdict(facts) for facts in measure_channels(self.inputs_CHW)]
        return {
            "path": self.path,
            "file": {"mode": self.mode, "num_channels": self.num_channels},
            **_describe(self.image_CHW),
            "notices": list(self.notices),
            "network": seen,
        }


def inspect_image(
    path: Path, reading: Reading = USUAL, *, normalization: Normalization | None = None
) -> Inspection:
    """Read an image file and scale it for a network, exactly as ``predict`` does.

    Raises DataError if the file is no readable image.
    """
    decoded = load_image(path, reading.grey_bits)
    seen_CHW = _to_channels_first(fit_square(decoded.pixels_HWC, reading.size_px, reading.fit))
    shape = notice_shape(decoded.pixels_HWC, reading.fit)
    mode, num_channels = stored_mode(path)
    return Inspection(
        path=str(path),
        mode=mode,
        num_channels=num_channels,
        image_CHW=_to_channels_first(decoded.pixels_HWC),
        seen_CHW=seen_CHW,
        inputs_CHW=normalization(seen_CHW[None])[0] if normalization else None,
        notices=(*decoded.notices, *shape),
    )


def measure_channels(image_CHW: Tensor) -> list[ChannelFacts]:
    """Return the facts of an image's three channels."""
    return [
        ChannelFacts(name, float(x_HW.min()), float(x_HW.double().mean()), float(x_HW.max()))
        for name, x_HW in zip(CHANNEL_NAMES, image_CHW, strict=True)
    ]


def _describe(image_CHW: Tensor) -> dict[str, Any]:
    channels, height, width = image_CHW.shape
    return {
        "shape": [height, width, channels],
        "dtype": str(image_CHW.dtype).removeprefix("torch."),
        "num_values": image_CHW.numel(),
        "range": [int(image_CHW.min()), int(image_CHW.max())],
        "channels": [asdict(facts) for facts in measure_channels(image_CHW)],
    }


def _to_channels_first(pixels_HWC: Any) -> Tensor:
    return torch.from_numpy(pixels_HWC).permute(2, 0, 1)
