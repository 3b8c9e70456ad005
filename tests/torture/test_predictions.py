from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from torture_campaign.campaign import Campaign
from torture_campaign.predictions import CONFIG
from torture_campaign.twin_images import COLOUR_TWINS, GREY_TWINS, TURNED_BACK


@pytest.fixture
def picture() -> Image.Image:
    pixels_HWC = np.random.default_rng(0).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(pixels_HWC)


@pytest.mark.parametrize("name", COLOUR_TWINS)
def test_a_twin_is_the_same_picture_when_it_is_read_with_care(
    picture: Image.Image, name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    COLOUR_TWINS[name](picture, path)
    with Image.open(path) as stored:
        upright = ImageOps.exif_transpose(stored).convert("RGB")
    assert np.array_equal(np.asarray(upright), np.asarray(picture))


def test_turned_twins_are_stored_turned(picture: Image.Image) -> None:
    stored = {np.asarray(picture.transpose(turn)).tobytes() for turn in TURNED_BACK.values()}
    assert len(stored) == 7 and np.asarray(picture).tobytes() not in stored


def test_twins_get_the_same_class_and_a_careless_reader_is_caught(campaign: Campaign) -> None:
    run = campaign.undisturbed(campaign.tiny_run("predicting", CONFIG))
    found = campaign.server.call(
        "torture_campaign.predictions:count_wrong",
        checkpoint=str(run.run.best_checkpoint),
        number=12,
    )
    for counts in found["ours"].values():
        assert counts["same"] == sum(counts.values()) > 0
    careless = found["plain"]["turned by EXIF, other modes and formats"]
    assert careless["different"] > 0
    assert sum(careless.values()) == 12 * len(COLOUR_TWINS)
    grey = found["ours"]["grey as 1, 2, 4 channels and 16 bits"]
    assert sum(grey.values()) == 12 * len(GREY_TWINS)
