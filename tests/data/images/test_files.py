"""Every kind of image file against its plain 8-bit RGB twin, and every kind of broken file."""

import contextlib
import errno
import io
import os
import stat
import struct
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import PIL
import pytest
from PIL import Image, ImageFile, ImageOps, TiffImagePlugin
from torture_campaign.bad_images import encode

from cnn_train.data.images import costly_files, modes
from cnn_train.data.images import files as image_files
from cnn_train.data.images.files import SUFFIXES, load_image
from cnn_train.data.images.modes import convert_to_rgb
from cnn_train.data.images.square import fit_square, notice_shape
from cnn_train.errors import DataError, ResourceError

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY = np.linspace(0, 255, 24 * 20).round().astype(np.uint8).reshape(24, 20)
COLOUR = np.stack([GREY, GREY[::-1], np.full_like(GREY, 90)], axis=2)
FOUR_COLOURS = np.array([[0, 85, 170, 255]], dtype=np.uint8).repeat(4, axis=0)


def in_rgb(grey):
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2)


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def make_png(width, height, bit_depth, colour_type, rows, transparent=b""):
    """Write a PNG by its specification, for what Pillow cannot write."""
    header = struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, 0)
    return (
        PNG_SIGNATURE
        + png_chunk(b"IHDR", header)
        + (png_chunk(b"tRNS", transparent) if transparent else b"")
        + png_chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
        + png_chunk(b"IEND", b"")
    )


def make_grey_tiff(width, height, bits, photometric, data):
    """Write a little-endian grey TIFF of one strip by its specification."""
    entries = [
        (256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1), (262, 3, photometric),
        (273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, len(data)), (339, 3, 1),
    ]  # fmt: skip
    directory = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries
    )
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory + bytes(4)


@pytest.fixture
def load(tmp_path):
    """Load an image from its bytes."""

    def write_and_load(content, name="image.png"):
        (tmp_path / name).write_bytes(content)
        return load_image(tmp_path / name)

    return write_and_load


IS_OLD_PILLOW = int(PIL.__version__.split(".")[0]) < 13
COLOUR_16 = COLOUR.astype(">u2") * 257
GREY_16 = GREY.astype(np.uint16) * 257
# 12-bit twins: each level's value by exact fractions
GREY_12 = np.array(
    [[int(Fraction(int(level) * 4095, 255) + Fraction(1, 2)) for level in row] for row in GREY],
    dtype=np.uint16,
)
DOTS = np.where(GREY > 127, 255, 0).astype(np.uint8)
RGB_OF_GREY, FOUR_IN_RGB = in_rgb(GREY), in_rgb(FOUR_COLOURS)
GREY_PICTURE, COLOUR_PICTURE = Image.fromarray(GREY), Image.fromarray(COLOUR)
FINEST = {"quality": 100, "subsampling": 0}
TWINS = {
    # kind of file: its content, and the 8-bit RGB pixels that it must be read as
    "RGB PNG": (encode(COLOUR, "PNG"), COLOUR),
    "RGB BMP": (encode(COLOUR, "BMP"), COLOUR),
    "RGB TIFF": (encode(COLOUR, "TIFF"), COLOUR),
    "RGB PPM": (encode(COLOUR, "PPM"), COLOUR),
    "RGB WebP": (encode(COLOUR, "WEBP", lossless=True), COLOUR),
    "RGB JPEG": (encode(COLOUR, "JPEG", **FINEST), COLOUR),
    "grey": (encode(GREY, "PNG"), RGB_OF_GREY),
    "1 bit": (encode(Image.fromarray(DOTS).convert("1"), "PNG"), in_rgb(DOTS)),
    "opaque LA": (encode(GREY_PICTURE.convert("LA"), "PNG"), RGB_OF_GREY),
    "opaque RGBA": (encode(COLOUR_PICTURE.convert("RGBA"), "PNG"), COLOUR),
    "palette": (encode(Image.fromarray(FOUR_IN_RGB).quantize(4), "PNG"), FOUR_IN_RGB),
    "palette and alpha": (
        encode(Image.fromarray(FOUR_IN_RGB).convert("RGBA").convert("PA"), "TIFF"), FOUR_IN_RGB,
    ),
    "GIF": (encode(FOUR_COLOURS, "GIF"), FOUR_IN_RGB),
    "CMYK TIFF": (encode(COLOUR_PICTURE.convert("CMYK"), "TIFF"), COLOUR),
    "CMYK JPEG": (encode(COLOUR_PICTURE.convert("CMYK"), "JPEG", **FINEST), COLOUR),
    "16-bit grey PNG": (encode(GREY_16, "PNG"), RGB_OF_GREY),
    "16-bit grey TIFF": (encode(GREY_16, "TIFF"), RGB_OF_GREY),
    "16-bit big-endian TIFF": (encode(GREY_16.astype(">u2"), "TIFF"), RGB_OF_GREY),
    "16-bit grey PGM": (b"P5 20 24 65535\n" + GREY_16.astype(">u2").tobytes(), RGB_OF_GREY),
    "16-bit grey of the high byte": (encode(GREY.astype(np.uint16) << 8, "PNG"), RGB_OF_GREY),
    "16-bit RGB PNG": (make_png(20, 24, 16, 2, [row.tobytes() for row in COLOUR_16]), COLOUR),
    "16 bits in 32": (encode(GREY_16.astype(np.int32), "TIFF"), RGB_OF_GREY),
    "8 bits in 32": (encode(GREY.astype(np.int32), "TIFF"), RGB_OF_GREY),
    "12 bits in 32": (encode(GREY_12.astype(np.int32), "TIFF"), RGB_OF_GREY),
    "8 bits in 16, PNG": (encode(GREY.astype(np.uint16), "PNG"), RGB_OF_GREY),
    "8 bits in 16, TIFF": (encode(GREY.astype(np.uint16), "TIFF"), RGB_OF_GREY),
    "12 bits in 16, PNG": (encode(GREY_12, "PNG"), RGB_OF_GREY),
    "12 bits in 16, big-endian TIFF": (encode(GREY_12.astype(">u2"), "TIFF"), RGB_OF_GREY),
    "12 bits in 16, white is zero": (
        make_grey_tiff(20, 24, 16, 0, (4095 - GREY_12).astype("<u2").tobytes()), RGB_OF_GREY,
    ),
    "12-bit PGM": (b"P5 20 24 4095\n" + GREY_12.astype(">u2").tobytes(), RGB_OF_GREY),
    "dark 16-bit PGM": (
        b"P5 20 24 65535\n" + GREY.astype(">u2").tobytes(), in_rgb(np.uint8(GREY > 128)),
    ),
    "white is zero": (
        make_grey_tiff(20, 24, 16, 0, (65_535 - GREY_16).astype("<u2").tobytes()), RGB_OF_GREY,
    ),
    "12-bit TIFF": (
        make_grey_tiff(2, 1, 12, 1, bytes([0x00, 0x0F, 0xFF])),  # 0 and 4095
        in_rgb(np.array([[0, 255]], dtype=np.uint8)),
    ),
}  # fmt: skip
if not IS_OLD_PILLOW:
    TWINS["YCbCr"] = (encode(COLOUR_PICTURE.convert("YCbCr"), "TIFF"), COLOUR)
LARGEST_DIFFERENCES = {"RGB JPEG": 4, "CMYK JPEG": 4, "16-bit grey of the high byte": 1, "YCbCr": 3}


@pytest.mark.parametrize(
    ("most", "given", "bits", "notice"),
    [
        (0, None, 8, "its 16-bit values are taken as 8-bit grey"),
        (255, None, 8, "its 16-bit values are taken as 8-bit grey"),
        (256, None, 10, "its 16-bit values are taken as 10-bit grey"),
        (4095, None, 12, "its 16-bit values are taken as 12-bit grey"),
        (16_383, None, 14, "its 16-bit values are taken as 14-bit grey"),
        (16_384, None, 16, None),
        (100, 12, 12, None),
        (300, 16, 16, None),
    ],
)
def test_wide_grey_fills_the_bits_that_are_given_or_the_fewest_that_hold_it(
    tmp_path, most, given, bits, notice
):
    path = tmp_path / "deep.png"
    path.write_bytes(encode(np.array([[0, most]], dtype=np.uint16), "PNG"))
    decoded = load_image(path, given)
    expected = int(Fraction(most * 255, 2**bits - 1) + Fraction(1, 2))
    assert decoded.pixels_HWC[0].tolist() == [[0] * 3, [expected] * 3]
    assert decoded.grey_bits == bits
    assert decoded.notices == ((notice,) if notice else ())


def test_values_beyond_the_given_bits_are_cut_and_said(tmp_path):
    path = tmp_path / "deep.png"
    path.write_bytes(encode(np.array([[2048, 5000]], dtype=np.uint16), "PNG"))
    decoded = load_image(path, 12)
    assert decoded.pixels_HWC[0, :, 0].tolist() == [128, 255]
    assert decoded.notices == ("values up to 5,000 are cut at 4,095",)


def test_16_bit_colours_of_small_values_are_said_to_be_nearly_black(load):
    rows = [row.tobytes() for row in (COLOUR.astype(np.uint16) * 16).astype(">u2")]
    decoded = load(make_png(20, 24, 16, 2, rows))
    assert decoded.notices == (
        "16-bit colours of small values become nearly black; scale them and save 8 bits",
    )
    assert load(TWINS["16-bit RGB PNG"][0]).notices == load(TWINS["RGB PNG"][0]).notices == ()


@pytest.mark.parametrize("kind", TWINS)
def test_every_kind_of_pixel_equals_its_8_bit_rgb_twin(load, kind):
    content, twin = TWINS[kind]
    pixels = load(content).pixels_HWC
    assert pixels.dtype == np.uint8
    assert pixels.shape == twin.shape
    assert np.abs(pixels.astype(int) - twin).max() <= LARGEST_DIFFERENCES.get(kind, 0)


def test_lab_colours_come_back_within_their_rounding(load):
    image = Image.new("LAB", (4, 4), (136, 128, 128))  # L* 53.4, no colour: sRGB grey 127
    assert np.abs(load(encode(image, "TIFF"), "lab.tif").pixels_HWC.astype(int) - 127).max() <= 2


def test_a_mode_outside_the_table_is_refused_by_name():
    with pytest.raises(DataError, match="mode HSV are not supported; save it as 8-bit RGB"):
        convert_to_rgb(Image.new("HSV", (4, 4)))


SECRET = (200, 10, 30)


def _transparent_palette():
    image = Image.new("P", (2, 1))
    image.putpalette([*SECRET, 0, 0, 255])
    image.putdata([0, 1])
    return image


BLUE, MID_GREY = (0, 0, 255), (127, 127, 127)
PIXELS_16 = struct.pack(">6H", 1000, 2000, 3000, *3 * [32_639])
HIDDEN = {
    # kind: an image whose left pixel is transparent, and the colour of its right pixel
    "RGBA": (encode(np.array([[[*SECRET, 0], [*BLUE, 255]]], dtype=np.uint8), "PNG"), BLUE),
    "LA": (encode(np.array([[[77, 0], [9, 255]]], dtype=np.uint8), "PNG"), (9, 9, 9)),
    "palette": (encode(_transparent_palette(), "PNG", transparency=0), BLUE),
    "palette of alphas": (encode(_transparent_palette(), "PNG", transparency=b"\0\xff"), BLUE),
    "GIF": (encode(_transparent_palette(), "GIF", transparency=0), BLUE),
    "RGB": (make_png(2, 1, 8, 2, [bytes([*SECRET, *BLUE])], struct.pack(">3H", *SECRET)), BLUE),
    "1 bit": (make_png(2, 1, 1, 0, [bytes([0b01000000])], struct.pack(">H", 0)), (255, 255, 255)),
    "2 bits": (make_png(2, 1, 2, 0, [bytes([0b10010000])], struct.pack(">H", 2)), (85, 85, 85)),
    "4 bits": (make_png(2, 1, 4, 0, [bytes([0xA5])], struct.pack(">H", 0xA)), (85, 85, 85)),
    "16 bits": (
        make_png(2, 1, 16, 0, [struct.pack(">2H", 1000, 32_639)], struct.pack(">H", 1000)),
        MID_GREY,
    ),
    "16-bit RGB": (
        make_png(2, 1, 16, 2, [PIXELS_16], struct.pack(">3H", 1000, 2000, 3000)), MID_GREY,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", HIDDEN)
def test_transparent_pixels_become_white_and_their_colours_stay_hidden(load, kind):
    content, visible = HIDDEN[kind]
    decoded = load(content)
    assert decoded.pixels_HWC[0].tolist() == [[255, 255, 255], list(visible)]
    assert "transparent pixels are laid on white" in decoded.notices


def test_half_transparent_pixels_are_mixed_with_white(load):
    content = encode(Image.new("RGBA", (9, 9), (0, 0, 0, 128)), "PNG")
    assert load(content).pixels_HWC[0, 0].tolist() == [127, 127, 127]


@pytest.mark.skipif(IS_OLD_PILLOW, reason="Pillow 12 does not know such files")
def test_premultiplied_grey_is_divided_by_its_alpha(load):
    image = Image.fromarray(np.array([[[50, 100]]], dtype=np.uint8))  # grey 127 at alpha 100
    extra_samples = struct.Struct("<HHIH")  # tag 338, one short: 1 premultiplied, 2 plain alpha
    content = encode(image, "TIFF").replace(
        extra_samples.pack(338, 3, 1, 2), extra_samples.pack(338, 3, 1, 1)
    )
    assert Image.open(io.BytesIO(content)).mode == "La"
    expected = (127 * 100 + 255 * 155) / 255
    assert abs(int(load(content, "la.tif").pixels_HWC[0, 0, 0]) - expected) <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("format_name", "suffix"), [("PNG", ".png"), ("TIFF", ".tif")])
def test_every_exif_orientation_is_set_upright(load, orientation, format_name, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = COLOUR_PICTURE
    content = encode(image, format_name, exif=exif)
    image.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(load(content, f"photo{suffix}").pixels_HWC, expected)


def test_a_jpegs_orientation_counts_too(load):
    exif = Image.Exif()
    exif[0x0112] = 6
    assert load(encode(COLOUR, "JPEG", exif=exif), "a.jpg").pixels_HWC.shape == (20, 24, 3)


ORIENTATION_AB = b"Exif\0\0II*\0" + struct.pack("<IHHHI4sI", 8, 1, 0x0112, 2, 2, b"ab\0\0", 0)


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0rubbish", b"Exif\0\0II*\0\xff\xff\xff\x7f", ORIENTATION_AB]
)
def test_damaged_exif_data_does_not_spoil_a_good_image(load, exif):
    assert load(encode(COLOUR, "JPEG", exif=exif), "a.jpg").pixels_HWC.shape == COLOUR.shape


@pytest.mark.parametrize(
    ("format_name", "suffix"),
    [("GIF", ".gif"), ("WEBP", ".webp"), ("PNG", ".png"), ("TIFF", ".tif")],
)
def test_an_animation_gives_its_first_frame_and_says_so(load, format_name, suffix):
    frames = [Image.new("RGB", (16, 16), (0, level, 0)) for level in (255, 128, 0)]
    options = {"lossless": True} if format_name == "WEBP" else {}
    content = encode(frames[0], format_name, save_all=True, append_images=frames[1:], **options)
    decoded = load(content, f"moving{suffix}")
    assert decoded.notices == ("only the first of several frames is used",)
    assert decoded.pixels_HWC[0, 0].tolist() == [0, 255, 0]


def test_a_damaged_second_frame_does_not_spoil_the_first(load):
    first, second = Image.new("RGB", (16, 16), (0, 255, 0)), Image.new("RGB", (16, 16))
    content = encode(first, "GIF", save_all=True, append_images=[second])
    start_of_second = content.rfind(b"!\xf9\x04")  # the graphic control extension
    decoded = load(content[: start_of_second + 12], "cut.gif")
    assert decoded.notices == ("only the first of several frames is used",)
    assert decoded.pixels_HWC[0, 0].tolist() == [0, 255, 0]


def test_the_frames_after_the_first_are_not_counted(load, monkeypatch):
    """Pillow would walk through all of them: a small file may hold a million pages."""
    pages = [Image.new("L", (8, 8)), Image.new("L", (8, 8))]
    content = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    counted = property(lambda image: pytest.fail("counts the frames"))
    monkeypatch.setattr(TiffImagePlugin.TiffImageFile, "n_frames", counted)
    assert load(content, "a.tif").notices == ("only the first of several frames is used",)


def test_a_phones_photo_with_further_pictures_inside_is_a_plain_jpeg(load):
    image = COLOUR_PICTURE
    content = encode(image, "MPO", save_all=True, append_images=[image.rotate(180)])
    decoded = load(content, "phone.jpg")
    assert Image.open(io.BytesIO(content)).format == "MPO"
    assert decoded.notices == ()
    assert np.abs(decoded.pixels_HWC.astype(int) - COLOUR).mean() < 8


def test_a_wrong_or_missing_suffix_is_fine_and_said(load):
    content = encode(COLOUR, "PNG")
    assert load(content, "photo.JPG").notices == ("is a PNG file, although its name ends in .jpg",)
    assert load(content, "photo").notices == ("is a PNG file, although its name ends in nothing",)
    assert load(content, "photo.PNG").notices == ()


@pytest.mark.parametrize(
    ("size", "notice"),
    [
        ((1, 1), ("1 × 1 pixels: hardly an image",)),
        ((1, 5000), ("1 × 5000 pixels: only the central square is seen",)),
        ((100, 8), ("100 × 8 pixels: only the central square is seen",)),
        ((32, 8), ()),
    ],
)
def test_extreme_shapes_are_read_with_a_notice(load, size, notice):
    decoded = load(encode(Image.new("RGB", size, "red"), "PNG"))
    assert notice_shape(decoded.pixels_HWC, "crop") == notice
    assert fit_square(decoded.pixels_HWC, 32).tolist() == [[[255, 0, 0]] * 32] * 32


def _corrupt_checksum():
    content = bytearray(encode(COLOUR, "PNG"))
    content[-13] ^= 1  # the last byte of the pixel data's CRC, before IEND's 12 bytes
    return bytes(content)


UNUSABLE = {
    "empty.png": (b"", "the file is empty"),
    "text.jpg": (b"hello, I am a text\n", "is a text file; supported are JPEG"),
    "drawing.png": (b'<?xml version="1.0"?><svg width="9"/>', "is an SVG drawing"),
    "page.jpg": (b"<!DOCTYPE html><html></html>", "is an HTML page"),
    "paper.jpg": (b"%PDF-1.7 \x00\x01", "is a PDF document"),
    "phone.jpg": (b"\0\0\0\x18ftypheic\0\0\0\0", "is a HEIC image, which Pillow cannot read"),
    "a.heif": (b"\0\0\0\x18ftypmif1\0\0\0\0", "is a HEIC image, which Pillow cannot read"),
    "bare.jxl": (b"\xff\x0a\0\0", "is a JPEG XL image, which Pillow cannot read"),
    "a.jxl": (b"\0\0\0\x0cJXL \r\n\x87\n", "is a JPEG XL image, which Pillow cannot read"),
    "random.png": (b"\x00\x01\x02" * 50, "is no image of a known kind"),
    "stub.jpg": (b"\xff\xd8\xff", "damaged or truncated"),
    "header.png": (PNG_SIGNATURE, "damaged or truncated"),
    "checksum.png": (_corrupt_checksum(), "damaged or truncated PNG file"),
    "no_end.png": (encode(COLOUR, "PNG")[:-12], "damaged or truncated PNG file"),
    "float.tif": (encode(np.full((8, 8), 0.5, np.float32), "TIFF"), "floating-point"),
    "nan.tif": (encode(np.full((8, 8), np.nan, np.float32), "TIFF"), "floating-point"),
    "deep.tif": (encode(np.full((8, 8), 70_000, np.int32), "TIFF"), "no known scale"),
    "signed.tif": (encode(np.full((8, 8), -5, np.int32), "TIFF"), "no known scale"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_file_is_refused_in_one_line(load, tmp_path, name):
    content, message = UNUSABLE[name]
    with pytest.raises(DataError) as refusal:
        load(content, name)
    line = str(refusal.value)
    assert line.startswith(f"{tmp_path / name}: ")
    assert message in line
    assert "\n" not in line
    assert "object at" not in line


@pytest.mark.parametrize("format_name", SUFFIXES)
def test_a_truncated_file_is_never_taken_for_whole(load, format_name):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    content = encode(noise, format_name)
    for num_bytes in np.linspace(0, len(content) - 12, 40).astype(int):
        with pytest.raises(DataError, match=r"damaged or truncated|empty|is a text|no image"):
            load(content[:num_bytes])


def test_200_megapixels_are_refused_undecoded_whatever_the_format(load, monkeypatch):
    bombs = {
        "bomb.png": make_png(20_000, 10_000, 8, 2, [b""]),
        "bomb.ppm": b"P6 20000 10000 255\n",
        "bomb.bmp": encode(Image.new("1", (20_000, 10_000)), "BMP"),
    }
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: pytest.fail("decodes"))
    for name, content in bombs.items():
        with pytest.raises(DataError, match="more than 178 megapixels; make the image smaller"):
            load(content, name)


def make_run_length_bmp(width, height, runs):
    """Write an 8-bit BMP of compression RLE8 by its specification: Pillow writes none."""
    body, palette = bytes(runs), b"".join(bytes([i, i, i, 0]) for i in range(256))
    start = 14 + 40 + len(palette)
    sizes = (40, width, height, 1, 8, 1, len(body), 0, 0, 256, 0)
    return (
        b"BM"
        + struct.pack("<IHHI", start + len(body), 0, 0, start)
        + struct.pack("<IiiHHIIiiII", *sizes)
        + palette
        + body
    )


def with_more_scans(jpeg, number):
    """Repeat a progressive JPEG's last scan, which only refines what is there."""
    scan = jpeg[jpeg.rfind(b"\xff\xda") : -2]
    return jpeg[:-2] + scan * number + jpeg[-2:]


def test_a_small_run_length_bmp_is_read(load):
    runs = [2, 50, 0, 0, 2, 60, 0, 1]  # two rows of two pixels, from the bottom up
    assert load(make_run_length_bmp(2, 2, runs), "a.bmp").pixels_HWC[:, :, 0].tolist() == [
        [60, 60],
        [50, 50],
    ]


def test_a_jpeg_of_many_scans_is_read_where_it_is_small(load):
    content = encode(COLOUR, "JPEG", progressive=True)
    assert load(with_more_scans(content, 1000), "a.jpg").pixels_HWC.shape == COLOUR.shape


def test_the_film_behind_a_moving_photo_is_not_taken_for_scans(load):
    film = np.random.default_rng(0).integers(0, 256, 8_000_000, dtype=np.uint8).tobytes()
    photo = encode(Image.new("RGB", (4000, 3000), "red"), "JPEG") + film
    assert film.count(b"\xff\xda") > 90
    assert load(photo, "a.jpg").pixels_HWC.shape == (3000, 4000, 3)


def test_few_bytes_that_would_keep_a_decoder_busy_are_refused(load, monkeypatch):
    """Undecoded: these took 16 and 21 seconds, and twice as many scans take twice as long."""
    jpeg = encode(Image.new("L", (4000, 4000)), "JPEG", progressive=True)
    slow = {
        "runs.bmp": (
            make_run_length_bmp(10**8, 1, [5, 1, 0, 0, 0, 1]),
            "more than the 2 megapixels",
        ),
        "scans.jpg": (with_more_scans(jpeg, 1000), "is a JPEG file of too many scans"),
    }
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: pytest.fail("decodes"))
    for name, (content, message) in slow.items():
        with pytest.raises(DataError, match=message):
            load(content, name)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA", "CMYK", "I;16", "I"])
def test_an_image_converted_in_strips_is_that_converted_at_once(load, monkeypatch, mode):
    wide = Image.fromarray(np.arange(480, dtype=np.int32).reshape(24, 20) * 9)
    image = wide.convert(mode) if mode.startswith("I") else Image.fromarray(COLOUR).convert(mode)
    if mode == "RGBA":
        image.putpixel((3, 20), (9, 9, 9, 100))
    content = encode(image, "TIFF")
    at_once = load(content, "a.tif")
    monkeypatch.setattr(modes, "STRIP_PIXELS", 50)
    in_strips = load(content, "a.tif")
    assert np.array_equal(at_once.pixels_HWC, in_strips.pixels_HWC)
    assert at_once.notices == in_strips.notices


def test_a_huge_jpeg_is_read_at_half_its_size_also_where_pillow_opened_it(load, monkeypatch):
    content = encode(Image.fromarray(COLOUR).resize((200, 160)), "JPEG")
    whole = load(content, "a.jpg")
    monkeypatch.setattr(image_files, "MOST_PIXELS", 200 * 160 - 1)
    halved = load(content, "a.jpg")
    assert whole.pixels_HWC.shape == (160, 200, 3) and whole.notices == ()
    assert halved.pixels_HWC.shape == (80, 100, 3) and "half the size" in halved.notices[0]
    opened = Image.open(io.BytesIO(content))
    assert np.array_equal(image_files.read_opened(opened), halved.pixels_HWC)


def test_one_large_image_is_decoded_at_a_time(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(encode(COLOUR, "PNG"))
    inside, most = [], []
    convert = image_files.convert_to_rgb

    def slowly(*arguments):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.02)
        inside.pop()
        return convert(*arguments)

    monkeypatch.setattr(image_files, "convert_to_rgb", slowly)
    for limit, overlap in ((10**6, True), (400, False)):
        monkeypatch.setattr(image_files, "LARGE_PIXELS", limit)
        most.clear()
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(load_image, [tmp_path / "a.png"] * 12))
        assert (max(most) > 1) is overlap


def test_a_damaged_tiff_makes_nobody_but_us_talk(load, capfd):
    content = bytearray(encode(COLOUR, "TIFF", compression="tiff_lzw"))
    content[60] ^= 0xFF
    with contextlib.suppress(DataError):
        load(bytes(content), "a.tif")
    assert capfd.readouterr() == ("", "")


def test_an_image_between_pillows_warning_and_its_error_is_refused_by_us(load, monkeypatch):
    monkeypatch.setattr(costly_files, "MOST_PIXELS", 479)
    with pytest.raises(DataError, match="megapixels"):
        load(encode(COLOUR, "PNG"))


def test_an_image_that_pillow_would_warn_about_is_read_in_silence(load, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)  # it refuses twice as many
    content = encode(COLOUR, "PNG")
    with pytest.warns(Image.DecompressionBombWarning):
        Image.open(io.BytesIO(content))
    assert np.array_equal(load(content).pixels_HWC, COLOUR)


def test_missing_files_folders_and_pipes_are_named(tmp_path):
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    for name, message in {
        "missing.png": "no such file; check the path",
        "folder.png": "is a folder; name an image file",
        "pipe.png": "is a pipe or a device, which is not read; save the image in a file first",
        "long" * 100: "cannot be opened (File name too long)",
        "nul\0.png": "cannot be opened (",  # a null byte; each Python says it in its own words
    }.items():
        with pytest.raises(DataError) as refusal:
            load_image(tmp_path / name)
        assert str(refusal.value).startswith(f"{tmp_path / name}: {message}")


def test_a_file_without_permission_is_named(tmp_path, monkeypatch):
    path = tmp_path / "secret.png"
    path.write_bytes(encode(COLOUR, "PNG"))
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read anything

        def refuse(*arguments, **options):
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(costly_files, "open_regular", refuse)
    with pytest.raises(
        DataError, match=r"secret\.png: cannot be opened \(Permission denied\); .*perm"
    ):
        load_image(path)
    path.chmod(stat.S_IRWXU)


def test_too_many_open_files_are_named_as_a_lack_of_resources(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(errno.EMFILE, "Too many open files")

    (tmp_path / "a.png").write_bytes(encode(COLOUR, "PNG"))
    monkeypatch.setattr(costly_files, "open_regular", refuse)
    with pytest.raises(ResourceError, match="too many open files; allow more with: ulimit -n"):
        load_image(tmp_path / "a.png")


@pytest.mark.parametrize(("where", "step"), [(Image, "open"), (image_files, "convert_to_rgb")])
def test_a_lack_of_memory_is_named(tmp_path, monkeypatch, where, step):
    def run_out(*arguments, **options):
        raise MemoryError

    (tmp_path / "a.png").write_bytes(encode(COLOUR, "PNG"))
    monkeypatch.setattr(where, step, run_out)
    with pytest.raises(ResourceError, match=r"a\.png: not enough memory"):
        load_image(tmp_path / "a.png")


def test_threads_decode_alike_and_leave_the_warning_filters_as_they_were(tmp_path):
    contents = [content for content, *_ in TWINS.values()]
    paths = [tmp_path / f"{i}.img" for i in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    (tmp_path / "exif.jpg").write_bytes(encode(COLOUR, "JPEG", exif=b"Exif\0\0II*\0\xff"))
    paths.append(tmp_path / "exif.jpg")
    filters = warnings.filters[:]
    alone = [load_image(path).pixels_HWC for path in paths]
    with ThreadPoolExecutor(8) as threads:
        together = [image.pixels_HWC for image in threads.map(load_image, paths * 4)]
    assert warnings.filters == filters
    assert all(map(np.array_equal, alone * 4, together))


@pytest.mark.skipif("AVIF" not in SUFFIXES, reason="this Pillow is built without AVIF")
def test_an_avif_photo_is_read_and_set_upright(load):
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = load(encode(COLOUR, "AVIF", quality=100, exif=exif), "photo.avif").pixels_HWC
    assert np.abs(pixels.astype(int) - np.rot90(COLOUR, -1)).mean() < 4
