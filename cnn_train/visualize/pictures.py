"""Tensors as pictures: images, signed signals, maps laid over images.

Shape letters: C channels, H W pixels.
"""

import torch
from torch import Tensor

CLIPPED_SHARE = 0.005
"""The share of a signal's values, the largest, that are cut off: one pixel must not hide all."""
OVERLAY_SHARE = 0.75


def picture(image_CHW: Tensor) -> Tensor:
    """Return a uint8 image as HWC with three colours; grey ones are repeated."""
    channels = image_CHW.shape[0]
    colours_CHW = image_CHW if channels == 3 else image_CHW[:1].expand(3, -1, -1)
    return colours_CHW.permute(1, 2, 0).cpu()


def spread(values: Tensor) -> float:
    """Return the size that all but the largest half percent of the values stay below."""
    sizes = values.detach().abs().flatten().float().cpu()
    limit = float(sizes.quantile(1 - CLIPPED_SHARE)) if len(sizes) <= 2**24 else float(sizes.max())
    return limit or float(sizes.max()) or 1.0


def signed_picture(signal_CHW: Tensor, scale: float) -> Tensor:
    """Return uint8 CHW: zero is mid-grey, ``scale`` white and -``scale`` black in each colour."""
    level_CHW = (signal_CHW.float().cpu() / scale).clamp(-1, 1)
    return (127.5 * (1 + level_CHW)).round().to(torch.uint8)


def overlay(image_HWC: Tensor, colours_HWC: Tensor, strength_HW: Tensor) -> Tensor:
    """Lay colours over the grey of an image (both uint8 HWC), as strongly as a map (0 to 1) is."""
    grey_HW1 = image_HWC.float().mean(dim=2, keepdim=True)
    share_HW1 = OVERLAY_SHARE * strength_HW.clamp(0, 1)[:, :, None]
    mixed_HWC = (1 - share_HW1) * grey_HW1 + share_HW1 * colours_HWC.float()
    return mixed_HWC.round().to(torch.uint8)
