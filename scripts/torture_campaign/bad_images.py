"""Image files that are damaged, foreign or unusual, and whether a prediction is to be made."""

import io
import struct
import zlib
from pathlib import Path

from PIL import Image


def make_images(directory: Path) -> dict[str, bool]:
    """Write the files; return, by their names, whether each is an image that can be predicted."""
    usable = _usable(directory)
    refused = _refused(directory)
    return dict.fromkeys(usable, True) | dict.fromkeys(refused, False)


def _picture(mode: str = "RGB", size: tuple[int, int] = (24, 16)) -> Image.Image:
    picture = Image.new("RGB", size)
    picture.putdata(
        [(9 * x % 256, 11 * y % 256, 90) for y in range(size[1]) for x in range(size[0])]
    )
    return picture.convert(mode)


def _usable(directory: Path) -> list[str]:
    for mode in ("RGB", "L", "1", "LA", "P", "RGBA"):
        _picture(mode).save(directory / f"mode-{mode}.png")
    _picture("CMYK").save(directory / "cmyk.jpg")
    for suffix in ("jpg", "bmp", "gif", "tiff", "webp", "ppm"):
        _picture().save(directory / f"kind.{suffix}")
    _picture().save(directory / "really-a-png.jpg", "PNG")
    _picture(size=(1, 1)).save(directory / "one-pixel.png")
    _picture(size=(1, 500)).save(directory / "thin.png")
    return [path.name for path in sorted(directory.iterdir())]


def _refused(directory: Path) -> list[str]:
    png, jpeg = _bytes("PNG"), _bytes("JPEG")
    contents = {
        "empty.png": b"",
        "one-byte.png": b"\x89",
        "text.jpg": b"not an image\n",
        "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "paper.pdf": b"%PDF-1.4\n",
        "page.png": b"<!DOCTYPE html><html></html>",
        "archive.png": b"PK\x03\x04" + bytes(40),
        "script.jpg": b"#!/bin/sh\necho\n",
        "cut.png": png[: len(png) // 2],
        "header-only.png": png[:33],
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "marker-only.jpg": jpeg[:4],
        "bad-crc.png": _with_bad_checksum(png),
        "bomb.png": _bomb(30_000, 30_000),
        "endless.png": _bomb(2**31 - 1, 2**31 - 1),
        "zero-wide.png": _bomb(0, 5),
        "random.png": bytes(range(256)) * 8,
    }
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    (directory / "directory.png").mkdir()
    (directory / "nowhere.png").symlink_to(directory / "gone.png")
    return [*contents, "directory.png", "nowhere.png", "missing.png"]


def _bytes(kind: str) -> bytes:
    buffer = io.BytesIO()
    _picture().save(buffer, kind)
    return buffer.getvalue()


def _with_bad_checksum(png: bytes) -> bytes:
    """Turn a bit in the middle of the pixels, whose checksum then is wrong."""
    place = png.index(b"IDAT") + 10
    return png[:place] + bytes([png[place] ^ 1]) + png[place + 1 :]


def _bomb(width: int, height: int) -> bytes:
    """Return a PNG of a hundred bytes that claims a size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
