"""Images that ask for minutes or gigabytes: what they claim, repeat or hide in headers."""

import random
import struct
import zlib
from collections.abc import Callable, Iterator

from PIL import Image

from ..bad_images import COLOUR, encode
from . import Ground, Trial

LONG, WIDE = 65_533, 16_384
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, body: bytes) -> bytes:
    """Write a part of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(chunks: bytes, side: int = 8, depth: int = 8) -> bytes:
    """Write a PNG of grey pixels from what stands between its header and its end."""
    header = struct.pack(">IIBBBBB", side, side, depth, 0, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", header) + chunks + chunk(b"IEND", b"")


def tiff(tags: dict[int, tuple[int, int, int]], tail: bytes) -> bytes:
    """Write a TIFF from tags (type, count, value) and what stands behind them."""
    entries = b"".join(struct.pack("<HHII", tag, *tags[tag]) for tag in sorted(tags))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4) + tail


def grey_tiff(
    width: int, height: int, **others: tuple[int, int, int]
) -> dict[int, tuple[int, int, int]]:
    """Return the tags of uncompressed grey and others, named by their number (``t322``)."""
    tags = {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1)}
    return tags | {int(name[1:]): tag for name, tag in others.items()}


def strips(number: int, height: int) -> bytes:
    """Write a TIFF with a table of strips, each of one row of one pixel."""
    place = 8 + 2 + 12 * 7 + 4
    tags = grey_tiff(1, height, t273=(4, number, place), t278=(4, 1, 1))
    return tiff(tags, struct.pack(f"<{number}I", *range(place, place + number)))


def huge_tile() -> bytes:
    """Write a TIFF of 16 pixels in a row, of which one tile has 268 million."""
    packed = zlib.compress(bytes(WIDE * 1024), 1)
    place = 8 + 2 + 12 * 9 + 4
    tile = {"t322": (4, 1, WIDE), "t323": (4, 1, WIDE), "t324": (4, 1, place)}
    tags = grey_tiff(16, 16, t325=(4, 1, len(packed)), **tile) | {259: (3, 1, 8)}
    return tiff(tags, packed)


def many_tags(number: int) -> bytes:
    """Write a BigTIFF with so many tags."""
    tags = b"".join(struct.pack("<HHQQ", 1 + i % 60_000, 3, 1, i) for i in range(number))
    return b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, number) + tags + bytes(8)


def more_scans(number: int, side: int) -> bytes:
    """Repeat the last scan of a progressive JPEG, which only refines what is there."""
    jpeg = encode(Image.new("L", (side, side)), "JPEG", progressive=True)
    return jpeg[:-2] + jpeg[jpeg.rfind(b"\xff\xda") : -2] * number + jpeg[-2:]


def app_segments(number: int, marker: int, begin: bytes) -> bytes:
    """Put segments of 64 KB before a small JPEG's own."""
    body = struct.pack(">BBH", 0xFF, marker, LONG + 2) + begin.ljust(LONG, b"x")
    jpeg = encode(COLOUR, "JPEG")
    return jpeg[:2] + body * number + jpeg[2:]


def run_length_bmp(side: int, runs: bytes) -> bytes:
    """Write a BMP of 8 bits whose rows are run lengths."""
    palette, start = bytes(1024), 14 + 40 + 1024
    sizes = (40, side, side, 1, 8, 1, len(runs), 0, 0, 256, 0)
    head = struct.pack("<IHHI", start + len(runs), 0, 0, start)
    return b"BM" + head + struct.pack("<IiiHHIIiiII", *sizes) + palette + runs


def flat_webp(side: int) -> bytes:
    """Write a lossless WebP of one colour, in a few bytes whatever its size."""
    content = bytearray(encode(Image.new("RGB", (8, 8)), "WEBP", lossless=True))
    place = content.index(b"VP8L") + 9
    bits = int.from_bytes(content[place : place + 4], "little") >> 28 << 28
    content[place : place + 4] = (bits | side - 1 | side - 1 << 14).to_bytes(4, "little")
    return bytes(content)


def gif_extensions(number: int, extension: bytes) -> bytes:
    """Put extensions between a GIF's picture and its end."""
    return encode(Image.new("P", (8, 8)), "GIF")[:-1] + extension * number + b";"


GREY = chunk(b"IDAT", zlib.compress(bytes(9 * 8)))
ATTACKS: dict[str, Callable[[], bytes]] = {
    "comments-in-the-header.pbm": lambda: b"P1\n" + b"#\n" * 4_000_000 + b"9 9\n" + b"1" * 81,
    "one-long-comment.ppm": lambda: b"P6\n#" + b"c" * 16_000_000 + b"\n2 2 255\n" + bytes(12),
    "spaces-in-the-header.ppm": lambda: b"P6" + b" " * 16_000_000 + b"2 2 255\n" + bytes(12),
    "digits.ppm": lambda: b"P6 " + b"9" * 4_000_000 + b" 2 255\n" + bytes(12),
    "comments-in-the-pixels.pbm": lambda: b"P1 2000 2000\n" + b"#\n" * 1_000_000,
    "maxval-254.ppm": lambda: b"P6 2500 2500 254\n" + bytes(3 * 2500**2),
    "maxval-65534.ppm": lambda: b"P6 2500 2500 65534\n" + bytes(6 * 2500**2),
    "maxval-65534.pgm": lambda: b"P5 3500 3500 65534\n" + bytes(2 * 3500**2),
    "text.ppm": lambda: b"P3 2500 2500 255\n" + b"9 " * (3 * 2500**2),
    "text.pbm": lambda: b"P1 10000 8000\n" + b"1" * 80_000_000,
    "flat.png": lambda: png(chunk(b"IDAT", zlib.compress(bytes(10_001 * 10_000), 1)), 10_000),
    "flat-16-bit.png": lambda: png(
        chunk(b"IDAT", zlib.compress(bytes(16_001 * 8_000), 1)), 8_000, 16
    ),
    "flat.gif": lambda: encode(Image.new("P", (10_000, 10_000)), "GIF"),
    "flat.webp": lambda: flat_webp(10_000),
    "flatter.webp": lambda: flat_webp(WIDE - 1),
    "scans.jpg": lambda: more_scans(1000, 4000),
    "more-scans.jpg": lambda: more_scans(20_000, 2000),
    "progressive.jpg": lambda: encode(Image.new("L", (10_000, 10_000)), "JPEG", progressive=True),
    "exif.jpg": lambda: app_segments(600, 0xE1, b"Exif\0\0"),
    "profile.jpg": lambda: app_segments(600, 0xE2, b"ICC_PROFILE\0\1\1"),
    "junk.jpg": lambda: b"\xff\xd8\xff\xe0\0\2" + bytes(40_000_000),
    "strips.tif": lambda: strips(12_000_000, 12_000_000),
    "more-strips.tif": lambda: strips(2_000_000, 2_000_000),
    "tile.tif": huge_tile,
    "tags.tif": lambda: many_tags(2_000_000),
    "row-ends.bmp": lambda: run_length_bmp(100, bytes(60_000_000)),
    "runs.bmp": lambda: run_length_bmp(4000, b"\1\1" * 4000**2),
    "chunks.png": lambda: png(chunk(b"IDAT", b"") * 3_000_000 + GREY),
    "words.png": lambda: png(chunk(b"tEXt", b"a\0b") * 1_000_000 + GREY),
    "text-bombs.png": lambda: png(
        chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1_000_000))) * 60 + GREY
    ),
    "profile-bomb.png": lambda: png(chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(10**8))) + GREY),
    "extensions.gif": lambda: gif_extensions(12_000_000, b"!\1\0"),
    "comments.gif": lambda: gif_extensions(6_000_000, b"!\xfe\1c\0"),
}
"""Each: what is written into a file of that name."""

KINDS: dict[str, dict[str, object]] = {
    "JPEG": {"progressive": True},
    "PNG": {},
    "GIF": {},
    "BMP": {},
    "WEBP": {"lossless": True},
    "TIFF": {"compression": "tiff_lzw"},
    "PPM": {},
}


def mutate(content: bytes, dice: random.Random) -> bytes:
    """Claim another size or repeat, move or spoil a part, most often in the header."""
    for _ in range(dice.randint(1, 3)):
        start = dice.randrange(min(len(content), dice.choice((30, 300, len(content)))))
        part = content[start : start + dice.choice((1, 2, 4, 12, 64))]
        number = dice.choice((0, 0, 1, 50, 5_000))
        new = dice.choice((part * number, b"\xff" * len(part), dice.randbytes(len(part))))
        content = content[:start] + new + content[start + len(part) :]
    return content


def trials(ground: Ground, number: int) -> Iterator[Trial]:
    """Look at each attack, and predict or look at mutations of small images of every kind."""

    def lay_out(name: str, content: bytes, command: str) -> Trial:
        path = ground.folder / name
        path.write_bytes(content)
        options = ["--checkpoint", ground.run] if command == "predict" else []
        return Trial(f"{command} {name}", [command, path, *options, "--json"])

    for count, (name, make) in enumerate(ATTACKS.items()):
        yield lay_out(name, make(), ("inspect", "predict")[count % 2])
        (ground.folder / name).unlink()
    for count in range(number - len(ATTACKS)):
        kind = ground.dice.choice(list(KINDS))
        content = encode(COLOUR, kind, **KINDS[kind])
        name = f"{count}.{kind.lower()}"
        yield lay_out(
            name, mutate(content, ground.dice), ground.dice.choice(("inspect", "predict"))
        )
