"""What a page asks and how numbers travel: images as bytes, maps as one signed byte per number.

Shape letters: C channels, H W pixels.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from ..config.document import spell_path
from ..errors import UsageError

MOST_SHOWN = 60
LEVELS = 127


class Question(BaseModel):
    """Everything that can be asked; each answer reads its own part of it."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    pixels: str = ""
    checkpoint: str = ""
    layers: list[int] = []
    exact: bool = False
    layer: int = 0
    channel: int = 0
    row: int = 0
    column: int = 0
    label: int | None = Field(default=None, alias="class")
    against: int | None = None
    method: Literal["gradient", "guided", "cam", "occlusion"] = "gradient"
    order: str = "as they come"
    first: int = Field(default=0, alias="from", ge=0)
    count: int = Field(default=MOST_SHOWN, ge=1, le=MOST_SHOWN)
    indices: list[int] = Field(default=[], max_length=MOST_SHOWN)
    name: str = "image"
    content: str = ""


def read_question(body: Mapping[str, Any]) -> Question:
    """Check what was sent; UsageError names the first part that is no question."""
    try:
        return Question.model_validate(body)
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        raise UsageError(f"{spell_path(first['loc'])}: {first['msg']}") from None


def read_bytes(what: str, text: str) -> bytes:
    """Decode base64; UsageError, which begins with ``what``, where it is none."""
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise UsageError(f"{what}: expected base64") from None


def read_pixels(text: str, side_px: int) -> Tensor:
    """Return the image 1CHW (uint8) whose rows of RGB bytes a page has sent."""
    content = read_bytes("pixels", text)
    if len(content) != 3 * side_px**2:
        wanted = f"{side_px}×{side_px} pixels of 3 bytes"
        raise UsageError(f"pixels: expected {wanted}, not {len(content):,} bytes")
    pixels_HWC = torch.frombuffer(bytearray(content), dtype=torch.uint8).view(side_px, side_px, 3)
    return pixels_HWC.permute(2, 0, 1)[None].contiguous()


def pack_pixels(image_CHW: Tensor) -> str:
    """Write an image as base64 of its rows of RGB bytes."""
    return b64encode(image_CHW.permute(1, 2, 0).contiguous().cpu().numpy().tobytes()).decode()


def pack_signed(values: Tensor, limit: float | None = None) -> dict[str, Any]:
    """Write numbers as signed bytes of which 127 stands for ``limit``.

    It is the largest size, or one that is given: then larger numbers are cut off.
    """
    if limit is None:
        limit = float(values.abs().amax())
    levels = (values.float() * (LEVELS / (limit or 1.0))).round_().clamp_(-LEVELS, LEVELS)
    content = levels.to(torch.int8).contiguous().cpu().numpy().tobytes()
    return {"limit": rounded(limit), "values": b64encode(content).decode()}


def pack_exact(values: Tensor) -> str:
    """Write numbers as base64 of float32, the least significant byte first."""
    return b64encode(values.detach().float().cpu().numpy().astype("<f4").tobytes()).decode()


def rounded(numbers: Any, digits: int = 9) -> Any:
    """Round a number, or all in lists and dictionaries, to so many significant digits."""
    if isinstance(numbers, dict):
        return {name: rounded(value, digits) for name, value in numbers.items()}
    if isinstance(numbers, list):
        return [rounded(number, digits) for number in numbers]
    return float(f"{numbers:.{digits}g}")
