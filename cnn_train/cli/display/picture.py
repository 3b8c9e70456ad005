"""An image in the terminal, where its window and its colours allow.

Shape letters: C channels, H W pixels.
"""

from typing import TYPE_CHECKING

from rich.text import Text

from ..console import stdout

if TYPE_CHECKING:
    from torch import Tensor

PICTURE_WIDTH = 32
"""Columns; larger images are thinned out to it."""
NARROWEST_WITH_PICTURE = 76
UPPER_HALF_BLOCK = "▀"


def can_show_pictures() -> bool:
    """Whether stdout is a wide terminal with enough colours and characters for a picture."""
    return (
        stdout.is_terminal
        and not stdout.no_color
        and stdout.color_system in ("256", "truecolor")
        and not stdout.options.ascii_only
        and stdout.width >= NARROWEST_WITH_PICTURE
    )


def render_picture(image_CHW: "Tensor") -> Text:
    """Render a uint8 RGB image with two pixels per character: above in the ink, below behind it."""
    step = -(-image_CHW.shape[2] // PICTURE_WIDTH)
    rows = image_CHW[:, ::step, ::step].permute(1, 2, 0).tolist()
    picture = Text(no_wrap=True)
    for upper, lower in zip(rows[::2], [*rows[1::2], rows[-1]], strict=False):
        for above, below in zip(upper, lower, strict=True):
            style = f"rgb({','.join(map(str, above))}) on rgb({','.join(map(str, below))})"
            picture.append(UPPER_HALF_BLOCK, style)
        picture.append("\n")
    picture.rstrip()
    return picture
