"""Say what a file is that is no image of a supported kind, from its first bytes."""

from PIL import features

READS_AVIF = features.check("avif")  # Pillow can be built without
SUPPORTED = "JPEG, PNG, GIF, BMP, WebP, TIFF, PPM" + (", AVIF" if READS_AVIF else "")
UNREAD = "which Pillow cannot read"

# Where a signature stands in the file, the signature (or several), and what it is called.
SIGNATURES: tuple[tuple[int, bytes | tuple[bytes, ...], str], ...] = (
    (0, b"\xff\xd8\xff", "a damaged or truncated JPEG file"),
    (0, b"\x89PNG\r\n\x1a\n", "a damaged or truncated PNG file"),
    (0, b"GIF8", "a damaged or truncated GIF file"),
    (0, (b"II*\x00", b"MM\x00*"), "a damaged or truncated TIFF file"),
    (8, b"WEBP", "a damaged or truncated WebP file"),
    (0, b"%PDF", "a PDF document"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"\x00\x00\x01\x00", "an icon"),
    (0, (b"\x00\x00\x00\x0cjP", b"\xff\x4f\xff\x51"), "a JPEG 2000 image"),
    (0, (b"\xff\x0a", b"\x00\x00\x00\x0cJXL "), f"a JPEG XL image, {UNREAD}"),
    (4, b"ftypavi", "a damaged or truncated AVIF file" if READS_AVIF else "an AVIF image"),
    (4, (b"ftyphe", b"ftypmif1", b"ftypmsf1"), f"a HEIC image, {UNREAD}"),
    (4, b"ftyp", "a video"),
)


def describe_foreign_file(head: bytes) -> str:
    """Name what a file's first bytes look like, and what to do about it."""
    if not head:
        return "the file is empty; replace it"
    signed = (name for at, signature, name in SIGNATURES if head[at:].startswith(signature))
    name = next(signed, None) or _describe_unsigned(head)
    advice = "replace it" if "damaged" in name else f"supported are {SUPPORTED}"
    return f"is {name}; {advice}"


def _describe_unsigned(head: bytes) -> str:
    if any(byte < 9 or 13 < byte < 27 for byte in head):
        return "no image of a known kind"
    lower = head.lower()
    if b"<svg" in lower:
        return "an SVG drawing"
    if b"<html" in lower or lower.lstrip().startswith(b"<!doctype html"):
        return "an HTML page"
    return "a text file"
