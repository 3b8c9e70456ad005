"""What an inspected image looks like on the screen: its facts, then its numbers.

Shape letters: H W pixels, C channels.
"""

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ..console import stdout
from .prediction import can_show_pictures, render_picture

if TYPE_CHECKING:
    from torch import Tensor

    from ...lecture.pixels import ChannelFacts, Inspection

EXCERPT_PX = 16
"""Side of the square of numbers that is shown without ``--pixels``."""
NUMBER_WIDTH = 4
LABEL_WIDTH = 5


def show_inspection(inspection: "Inspection", *, with_pixels: bool) -> None:
    """Print the file's facts, the network's, and numbers: a part of one channel, or all."""
    from ...lecture.pixels import CHANNEL_NAMES

    stdout.print(Text(inspection.path, style="bold"), soft_wrap=True)
    origin = (inspection.origin,) if inspection.origin else ()
    for notice in (*origin, *inspection.notices):
        stdout.print(Text(f"  {notice}", style="dim"), soft_wrap=True)
    stdout.print(_render_facts(inspection.image_CHW))
    stdout.print(Text("\nwhat the network sees", style="bold"))
    stdout.print(_render_facts(inspection.seen_CHW, inspection.inputs_CHW))
    if can_show_pictures():
        stdout.print()
        stdout.print(render_picture(inspection.seen_CHW))
    if with_pixels:
        for name, channel_HW in zip(CHANNEL_NAMES, inspection.seen_CHW, strict=True):
            _show_numbers(name, channel_HW, first_row=0, first_column=0)
        return
    red_HW = inspection.seen_CHW[0]
    top, left = (max(side - EXCERPT_PX, 0) // 2 for side in red_HW.shape)
    middle_HW = red_HW[top : top + EXCERPT_PX, left : left + EXCERPT_PX]
    title = "red" if middle_HW.shape == red_HW.shape else "red, the middle (--pixels: all)"
    _show_numbers(title, middle_HW, first_row=top, first_column=left)


def _render_facts(image_CHW: "Tensor", inputs_CHW: "Tensor | None" = None) -> Table:
    from ...lecture.pixels import measure_channels

    channels, height, width = image_CHW.shape
    table = Table.grid(padding=(0, 2))
    table.add_row("shape", f"{height} × {width} × {channels}  (rows × columns × channels, RGB)")
    table.add_row("values", f"{height} · {width} · {channels} = {image_CHW.numel():,}")
    table.add_row("type", "uint8: whole numbers in [0, 255]")
    table.add_row("range", f"{int(image_CHW.min())} to {int(image_CHW.max())}")
    for one in measure_channels(image_CHW):
        table.add_row(f"  {one.name}", _range(one, digits=0))
    if inputs_CHW is not None:
        table.add_row("inputs", "float32: (p / 255 − mean) / deviation of the training images")
        for one in measure_channels(inputs_CHW):
            table.add_row(f"  {one.name}", _range(one, digits=2))
    return table


def _range(facts: "ChannelFacts", digits: int) -> str:
    width = 3 + (digits and digits + 2)
    numbers = (facts.smallest, facts.largest)
    smallest, largest = (f"{one:{width}.{digits}f}".replace("-", "−") for one in numbers)
    mean = f"{facts.mean:6.{max(digits, 1)}f}".replace("-", "−")
    return f"{smallest} to {largest}, mean {mean}"


def _show_numbers(title: str, channel_HW: "Tensor", *, first_row: int, first_column: int) -> None:
    """Print a grid of numbers; columns that do not fit the terminal follow below."""
    height, width = channel_HW.shape
    fitting = max((stdout.width - LABEL_WIDTH) // NUMBER_WIDTH, 1)
    per_block = fitting if fitting >= width else max(fitting // 8 * 8, min(fitting, 8))
    for start in range(0, width, per_block):
        columns = range(start, min(start + per_block, width))
        stdout.print(Text(f"\n{title}", style="bold"))
        head = "".join(f"{first_column + column:{NUMBER_WIDTH}}" for column in columns)
        stdout.print(Text(" " * LABEL_WIDTH + head, style="dim"), no_wrap=True)
        for row in range(height):
            numbers = channel_HW[row, columns.start : columns.stop].tolist()
            label = Text(f"{first_row + row:{LABEL_WIDTH - 1}} ", style="dim")
            cells = "".join(f"{number:{NUMBER_WIDTH}}" for number in numbers)
            stdout.print(label.append(cells, style="default"), no_wrap=True)
