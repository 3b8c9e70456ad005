"""What an inspected image looks like on the screen: its facts, then its numbers.

Shape letters: H W pixels, C channels.
"""

from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor

from ...lecture.pixels import CHANNEL_NAMES, ChannelFacts, Inspection, measure_channels
from ...page import MINUS, Block, list_facts
from .picture import can_show_pictures

EXCERPT_PX = 16
"""Side of the square of numbers that is shown without ``--pixels``."""
NUMBER_WIDTH = 4
LABEL_WIDTH = 5


def describe_inspection(
    inspection: Inspection, *, with_pixels: bool, window: int
) -> Iterator[Block]:
    """Yield the file's facts, the network's, and numbers: a part of one channel, or all."""
    origin = (inspection.origin,) if inspection.origin else ()
    facts = list_facts(_facts(inspection.image_CHW), inspection.path)
    yield replace(facts, lines=(*origin, *inspection.notices))
    yield list_facts(_facts(inspection.seen_CHW, inspection.inputs_CHW), "what the network sees")
    if can_show_pictures():
        yield Block(picture_CHW=inspection.seen_CHW)
    if with_pixels:
        for name, channel_HW in zip(CHANNEL_NAMES, inspection.seen_CHW, strict=True):
            yield from _write_numbers(name, channel_HW, 0, 0, window)
        return
    red_HW = inspection.seen_CHW[0]
    top, left = (max(side - EXCERPT_PX, 0) // 2 for side in red_HW.shape)
    middle_HW = red_HW[top : top + EXCERPT_PX, left : left + EXCERPT_PX]
    title = "red" if middle_HW.shape == red_HW.shape else "red, the middle (--pixels: all)"
    yield from _write_numbers(title, middle_HW, top, left, window)


def _facts(image_CHW: Tensor, inputs_CHW: Tensor | None = None) -> Iterator[tuple[str, str]]:
    channels, height, width = image_CHW.shape
    yield "shape", f"{height} × {width} × {channels}  (rows × columns × channels, RGB)"
    yield "values", f"{height} · {width} · {channels} = {image_CHW.numel():,}"
    yield "type", "uint8: whole numbers in [0, 255]"
    yield "range", f"{int(image_CHW.min())} to {int(image_CHW.max())}"
    for channel in measure_channels(image_CHW):
        yield f"  {channel.name}", _range(channel, decimals=0)
    if inputs_CHW is not None:
        yield "inputs", "float32: (p / 255 − mean) / deviation of the training images"
        for channel in measure_channels(inputs_CHW):
            yield f"  {channel.name}", _range(channel, decimals=2)


def _range(facts: ChannelFacts, decimals: int) -> str:
    width = 3 + (decimals and decimals + 2)
    text = (
        f"{facts.smallest:{width}.{decimals}f} to {facts.largest:{width}.{decimals}f}, "
        f"mean {facts.mean:6.{max(decimals, 1)}f}"
    )
    return text.replace("-", MINUS)


def _write_numbers(
    title: str, channel_HW: Tensor, first_row: int, first_column: int, window: int
) -> Iterator[Block]:
    """Yield a grid of numbers; columns that do not fit the window follow in blocks of their own."""
    width = channel_HW.shape[1]
    fitting = max((window - LABEL_WIDTH) // NUMBER_WIDTH, 1)
    per_block = fitting if fitting >= width else max(fitting // 8 * 8, min(fitting, 8))
    for start in range(0, width, per_block):
        columns = range(start, min(start + per_block, width))
        heads = (f"{first_column + column:{NUMBER_WIDTH}}" for column in columns)
        lines = [" " * LABEL_WIDTH + "".join(heads)]
        for row, numbers in enumerate(channel_HW[:, start : columns.stop].tolist(), first_row):
            cells = "".join(f"{number:{NUMBER_WIDTH}}" for number in numbers)
            lines.append(f"{row:{LABEL_WIDTH - 1}} {cells}")
        yield Block(title, tuple(lines))
