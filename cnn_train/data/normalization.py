"""From bytes to network input: subtract the mean, divide by the standard deviation.

Shape letters: N examples, B minibatch, C channels, H W pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ..machine.device import copy_to
from .host_images import HostImages, cut
from .resampling import LEVELS, to_bytes


@dataclass(frozen=True)
class Normalization:
    """Per-channel mean and standard deviation of the training images, where 1 is level 255.

    On the original CIFAR-10 they are (.4914 .4822 .4465) and (.2470 .2435 .2616): the deviation
    over all pixels, not the smaller mean of per-image deviations that is often copied.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, images_NCHW: Tensor | HostImages) -> "Normalization":
        """Measure uint8 images exactly, by integer histograms (no rounding, no copy in float)."""
        levels = torch.arange(256, dtype=torch.float64) / 255
        means, deviations = [], []
        counts_C256: Any = sum(
            torch.stack([torch.bincount(one.flatten(), minlength=256) for one in piece.unbind(1)])
            for piece in cut(images_NCHW)
        )
        for counts in counts_C256.cpu().double():
            mean = (counts * levels).sum() / counts.sum()
            variance = (counts * (levels - mean) ** 2).sum() / counts.sum()
            means.append(mean.item())
            deviations.append(max(variance.sqrt().item(), 1 / 255))  # a constant channel: one level
        return cls(tuple(means), tuple(deviations))

    @classmethod
    def from_lists(cls, lists: Mapping[str, Sequence[float]]) -> "Normalization":
        """Read what :meth:`as_lists` made, as checkpoints hold it."""
        return cls(tuple(lists["mean"]), tuple(lists["std"]))

    def as_lists(self) -> dict[str, list[float]]:
        """Return plain lists by name."""
        return {"mean": list(self.mean), "std": list(self.std)}

    def __str__(self) -> str:
        lists = self.as_lists().items()
        return ", ".join(f"{name} {' '.join(f'{x:.4f}' for x in values)}" for name, values in lists)

    @property
    def mean_level(self) -> tuple[int, ...]:
        """The mean colour as bytes: what an erased pixel is filled with."""
        return tuple(round(255 * mean) for mean in self.mean)

    def __call__(self, images_BCHW: Tensor, light: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Return float32 channels_last images of about zero mean and unit variance.

        light: a factor B and then a summand B that change each image afterwards.
        """
        mean_C = copy_to(255 * torch.tensor(self.mean), images_BCHW.device)
        std_C = copy_to(255 * torch.tensor(self.std), images_BCHW.device)
        images = images_BCHW.to(torch.float32, memory_format=torch.channels_last)
        if light is None:
            return images.sub_(mean_C[:, None, None]).div_(std_C[:, None, None])
        scale_BC = light[0][:, None] / std_C
        offset_BC = light[1][:, None] - scale_BC * mean_C
        return images.mul_(scale_BC[..., None, None]).add_(offset_BC[..., None, None])

    def undo(self, inputs_BCHW: Tensor) -> Tensor:
        """Return the uint8 images of which these are the normalised ones, to look at."""
        mean_C, std_C = (torch.tensor(values)[:, None, None] for values in (self.mean, self.std))
        return to_bytes(LEVELS * (inputs_BCHW.cpu() * std_C + mean_C))


NormalizationName = Literal["auto", "images", "imagenet"]

# What torchvision's and timm's ImageNet weights expect, as torchvision documents it.
IMAGENET = Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
