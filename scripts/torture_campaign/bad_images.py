"""Image files that cannot be used, and unusual ones that can, for tests and campaign."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIDE_PX = 24
GREY = np.linspace(0, 255, SIDE_PX**2).astype(np.uint8).reshape(SIDE_PX, SIDE_PX)
COLOUR = np.stack([GREY, GREY[::-1], GREY.T], axis=2)


def encode(pixels: Any, format_name: str, **options: Any) -> bytes:
    """Return an image file of pixels, or of a picture of Pillow's."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, format_name, **options)
    return file.getvalue()


def claims(width: int, height: int) -> bytes:
    """Return a PNG that claims a size and holds next to nothing."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [
        struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        for body in (header, b"IDAT" + zlib.compress(bytes(100)), b"IEND")
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def invert_byte(content: bytes, place: int) -> bytes:
    """Return ``content`` with one byte spoilt."""
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


PNG, JPEG = encode(COLOUR, "PNG"), encode(COLOUR, "JPEG")
SAMPLES_PER_PIXEL = struct.pack("<HHI", 277, 3, 1)  # a TIFF tag of one short
UNUSABLE = {
    "zero.png": b"",
    "one-byte.png": b"\x89",
    "text.jpg": b"hello\n",
    "page.png": b"<!DOCTYPE html><html></html>",
    "drawing.svg": b'<svg width="9"/>',
    "paper.pdf": b"%PDF-1.4\n",
    "archive.png": b"PK\x03\x04" + bytes(40),
    "script.jpg": b"#!/bin/sh\necho\n",
    "random.png": bytes(range(256)) * 8,
    "half.png": PNG[: len(PNG) // 2],
    "header.png": PNG[:33],
    "half.jpg": JPEG[: len(JPEG) // 2],
    "marker.jpg": JPEG[:4],
    "checksum.png": invert_byte(PNG, -15),
    "lzw.tif": invert_byte(encode(COLOUR, "TIFF", compression="tiff_lzw"), 40),
    "samples.tif": encode(COLOUR, "TIFF").replace(
        SAMPLES_PER_PIXEL + b"\3", SAMPLES_PER_PIXEL + b"\xff"
    ),
    "bomb.png": claims(30_000, 30_000),
    "endless.png": claims(2**31 - 1, 2**31 - 1),
    "no-width.png": claims(0, 5),
    "line\nbreak.png": b"nothing",
    "\x1b[2Jerase.png": b"nothing",
    "float.tif": encode(GREY.astype(np.float32) / 255, "TIFF"),
    "nan.tif": encode(np.full((9, 9), np.nan, np.float32), "TIFF"),
}

_grey, _colour = Image.fromarray(GREY), Image.fromarray(COLOUR)
_rgb_of_grey, _dots = _grey.convert("RGB"), _grey.convert("1")
UNUSUAL = {
    "L.png": (encode(_grey, "PNG"), _rgb_of_grey),
    "1.png": (encode(_dots, "PNG"), _dots.convert("RGB")),
    "LA.png": (encode(_grey.convert("LA"), "PNG"), _rgb_of_grey),
    "P.png": (encode(_grey.convert("P"), "PNG"), _rgb_of_grey),
    "P.gif": (encode(_grey.convert("P"), "GIF"), _rgb_of_grey),
    "RGBA.png": (encode(_colour.convert("RGBA"), "PNG"), _colour),
    "CMYK.tif": (encode(_colour.convert("CMYK"), "TIFF"), _colour),
    "I16.png": (encode(GREY.astype(np.uint16) * 257, "PNG"), _rgb_of_grey),
    "I.tif": (encode(GREY.astype(np.int32) * 257, "TIFF"), _rgb_of_grey),
    "bmp.bmp": (encode(_colour, "BMP"), _colour),
    "ppm.ppm": (encode(_colour, "PPM"), _colour),
    "tif.tif": (encode(_colour, "TIFF"), _colour),
    "webp.webp": (encode(_colour, "WEBP", lossless=True), _colour),
    "really_a_png.jpg": (PNG, _colour),
}
"""Name: the file, and the plain RGB picture that it must be taken for."""


def write_unusable(folder: Path) -> list[str]:
    """Write what cannot be used below ``folder``; return the names, one of no file."""
    for name, content in UNUSABLE.items():
        (folder / name).write_bytes(content)
    (folder / "folder.png").mkdir()
    (folder / "loop.png").symlink_to("loop.png")
    return [*UNUSABLE, "folder.png", "loop.png", "missing.png"]
