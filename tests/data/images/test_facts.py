"""What is said of a split's files before training."""

import pytest

from cnn_train.data.images.facts import FileFacts

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
    doubts = list(FileFacts.of(sizes, None).doubts(size_px, fit, largest_px=512))
    assert len(doubts) == len(expected)
    for doubt, words in zip(doubts, expected, strict=True):
        assert words in doubt


def test_what_the_crop_cuts_off_is_given_as_a_share():
    (doubt,) = FileFacts.of([(20, 10), (40, 30)], None).doubts(32, "crop", 512)
    assert (
        "cuts off 38 % of these; --set data.fit=pad (or squash) keeps it" in doubt
    )  # (50 + 25) / 2
