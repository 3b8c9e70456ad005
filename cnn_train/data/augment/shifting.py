"""Mirror images and move them by whole pixels.

Shape letters: B minibatch, C channels, H W pixels, P = H·W.
"""

import torch
from torch import Tensor


def coins(index_B: Tensor, seed: int) -> Tensor:
    """Toss a fair coin, 0 or 1, for each index; the same index and seed give the same side.

    Thomas Mueller's 32-bit integer hash; its multiplier is small enough never to overflow int64.
    """
    hash_B = (index_B + seed % 2**32) % 2**32
    for _ in range(2):
        hash_B = ((hash_B >> 16) ^ hash_B) * 0x45D9F3B % 2**32
    return ((hash_B >> 16) ^ hash_B) % 2


def flip_and_translate(
    images_BCHW: Tensor, mirrored_B: Tensor, dy_B: Tensor, dx_B: Tensor
) -> Tensor:
    """Mirror each image where ``mirrored_B``, then move it down by dy and right by dx pixels.

    The space at the border is filled with the image's reflection. One gather does it all: for
    each pixel of the result, we know the row and the column that it comes from.
    """
    height, width = images_BCHW.shape[2:]
    y_H, x_W = (torch.arange(side, device=images_BCHW.device) for side in (height, width))
    rows_BH = reflect(y_H - dy_B[:, None], height)
    columns_BW = reflect(x_W - dx_B[:, None], width)
    columns_BW = torch.where(mirrored_B[:, None], width - 1 - columns_BW, columns_BW)
    source_BHW = rows_BH[:, :, None] * width + columns_BW[:, None, :]
    pixels_BCP = images_BCHW.flatten(2)
    source_BCP = source_BHW.flatten(1)[:, None].expand_as(pixels_BCP)
    return pixels_BCP.gather(2, source_BCP).view(images_BCHW.shape)


def reflect(position: Tensor, length: int) -> Tensor:
    """Fold positions outside [0, length) back inside, as between two mirrors (… 2 1 0 1 2 …)."""
    period = max(2 * (length - 1), 1)
    position = position % period
    return torch.minimum(position, period - position)
