"""Files of any shape as squares, and what is said of them before training."""

import numpy as np
import pytest
from PIL import Image

from cnn_train.data.images.square import FileFacts, Reading, fit_square, notice_shape

COLOUR = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
PHOTOS = [(640, 480), (900, 1200), (500, 400), (2000, 1000)]


def test_files_are_summed_up_by_their_sizes():
    facts = FileFacts.of(PHOTOS, grey_bits=None)
    assert facts == FileFacts(
        number=4,
        sizes="500×400 … 2000×1000",
        median_side_px=(480 + 900) / 2,
        num_long=3,  # 500×400 is 5:4
        share_cut=pytest.approx((1 / 4 + 1 / 4 + 1 / 2) / 3),
        grey_bits=None,
    )
    assert FileFacts.of([(32, 32)] * 2, None).sizes == "32×32"


@pytest.mark.parametrize(
    ("sizes", "size_px", "fit", "expected"),
    [
        (PHOTOS, 32, "crop", ["32×32; --set data.image_size=64", "3 of 4 files are 4:3 or longer"]),
        (PHOTOS, 32, "pad", ["32×32; --set data.image_size=64"]),
        (PHOTOS, 224, "squash", []),
        ([(4000, 4000)], 512, "crop", []),  # there is no larger size
        (
            [(4000, 4000)],
            300,
            "crop",
            ["--set data.image_size=512 shows it more, for about 3 times"],
        ),
        ([(128, 127)] * 9, 32, "crop", []),
        ([(128, 128)] * 9, 32, "crop", ["the files are 128×128, the network sees 32×32"]),
    ],
)
def test_what_a_small_size_or_a_crop_loses_is_said_once(sizes, size_px, fit, expected):
    doubts = list(FileFacts.of(sizes, None).doubts(Reading(size_px, fit)))
    assert len(doubts) == len(expected)
    for doubt, words in zip(doubts, expected, strict=True):
        assert words in doubt


def test_what_the_crop_cuts_off_is_given_as_a_share():
    (doubt,) = FileFacts.of([(20, 10), (40, 30)], None).doubts(Reading(32))
    assert (
        "cuts off 38 % of these; --set data.fit=pad (or squash) keeps it" in doubt
    )  # (50 + 25) / 2


def test_an_image_of_the_right_size_passes_untouched():
    assert np.array_equal(fit_square(COLOUR, 20), COLOUR)


def test_resizing_equals_pillows_own_crop_and_resize():
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (60, 90, 3), dtype=np.uint8))
    expected = image.resize((30, 20), Image.Resampling.BICUBIC).crop((5, 0, 25, 20))
    assert np.array_equal(fit_square(np.asarray(image), 20), np.asarray(expected))


def test_shrinking_averages_instead_of_skipping_pixels():
    stripes = np.zeros((320, 320, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    small = fit_square(stripes, 32)
    assert np.abs(small.astype(int) - 127.5).max() < 4  # a fair share of both, but for the edges


def test_the_crop_is_central():
    wide = np.zeros((10, 30, 3), dtype=np.uint8)
    wide[:, 10:20] = 200
    assert (fit_square(wide, 10)[:, 1:-1] == 200).all()


def test_padding_keeps_all_between_grey_bars_and_squashing_all_without():
    wide = np.zeros((10, 20, 3), dtype=np.uint8)
    wide[:, 15:] = 240  # what lies at the side, the crop loses
    padded = fit_square(wide, 10, "pad")
    assert (padded[:2] == 128).all() and (padded[7:] == 128).all()
    bars = np.asarray(Image.fromarray(wide).resize((10, 5), Image.Resampling.BICUBIC))
    assert np.array_equal(padded[2:7], bars)
    assert np.array_equal(fit_square(wide.swapaxes(0, 1), 10, "pad"), padded.swapaxes(0, 1))
    squashed = Image.fromarray(wide).resize((10, 10), Image.Resampling.BICUBIC)
    assert np.array_equal(fit_square(wide, 10, "squash"), np.asarray(squashed))
    assert fit_square(wide, 10, "crop").max() == 0
    assert np.array_equal(fit_square(wide[:, :10], 10, "pad"), wide[:, :10])


def test_an_extreme_shape_can_be_padded_and_is_never_said_to_be_cropped():
    line = np.full((1, 5000, 3), 9, dtype=np.uint8)
    assert [row[0] for row in fit_square(line, 8, "pad")[:, 0].tolist()] == [128] * 3 + [9] + [
        128
    ] * 4
    assert notice_shape(line, "pad") == ("5000 × 1 pixels: hardly an image",)
    assert notice_shape(np.zeros((10, 100, 3), dtype=np.uint8), "squash") == ()
