from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnn_train.cli import console


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(256, size=(600, 800, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "[bold]photo.png")
    return tmp_path / "[bold]photo.png"


def test_the_page_gives_shape_count_type_and_range(cnn_train: Any, photo: Path) -> None:
    outcome = cnn_train("inspect", photo)
    assert outcome.exit_code == 0
    for words in (
        "[bold]photo.png", "600 × 800 × 3", "1,440,000", "uint8", "[0, 255]", "0 to 255", "red",
        "32 × 32 × 3", "3,072",
    ):  # fmt: skip
        assert words in outcome.stdout


def numbers_below(text: str, title: str) -> list[list[int]]:
    """Read the grids under one channel's titles, side by side as they stand in the image."""
    rows: dict[int, list[int]] = {}
    for block in text.split(f"\n{title}\n")[1:]:
        _, *lines = block.split("\n\n")[0].splitlines()
        for line in lines:
            row, *numbers = map(int, line.split())
            rows.setdefault(row, []).extend(numbers)
    return [rows[row] for row in sorted(rows)]


@pytest.mark.parametrize("width", [40, 80, 160])
def test_pixels_prints_every_number_of_every_channel_within_the_terminal(
    cnn_train: Any, photo: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    document = cnn_train("inspect", photo, "--json", "--pixels").document
    monkeypatch.setattr(console.stdout, "width", width)
    page = cnn_train("inspect", photo, "--pixels").stdout
    for name in ("red", "green", "blue"):
        assert numbers_below(page, name) == document["network"]["pixels"][name]
    grid = page[page.index("\nred\n") :]
    assert max(map(len, grid.splitlines())) <= width


def test_without_pixels_the_middle_of_the_red_channel_is_shown(cnn_train: Any, photo: Path) -> None:
    document = cnn_train("inspect", photo, "--json", "--pixels").document
    rows = document["network"]["pixels"]["red"]
    page = cnn_train("inspect", photo).stdout
    shown = numbers_below(page, "red, the middle (--pixels: all)")
    assert shown == [row[8:24] for row in rows[8:24]]


def test_a_checkpoint_brings_its_size_and_its_inputs(
    cnn_train: Any, photo: Path, checkpoint: Path
) -> None:
    document = cnn_train("inspect", photo, "--json", "--checkpoint", checkpoint).document
    assert document["network"]["shape"] == [16, 16, 3]
    assert [one["name"] for one in document["network"]["inputs"]] == ["red", "green", "blue"]
    page = cnn_train("inspect", photo, "--checkpoint", checkpoint.parent).stdout
    assert "16 × 16 × 3" in page
    assert "float32" in page


def test_size_is_the_networks(cnn_train: Any, photo: Path) -> None:
    document = cnn_train("inspect", photo, "--json", "--size", "8").document
    assert document["network"]["num_values"] == 192
    assert "pixels" not in document["network"]


def test_out_draws_the_picture_and_names_it_on_stderr(
    cnn_train: Callable[..., Any], photo: Path, tmp_path: Path
) -> None:
    outcome = cnn_train("inspect", photo, "--out", "eye.png", "--json")
    assert outcome.document["num_values"] == 1_440_000
    assert "wrote eye.png" in outcome.stderr
    with Image.open(tmp_path / "eye.png") as picture:
        assert picture.size[0] > 1_000


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["missing.png"], 3, "missing.png: no such file"),
        (["text.png"], 3, "text.png"),
        (["PHOTO", "--out", "eye.gif"], 2, "eye.gif"),
        (["PHOTO", "--checkpoint", "missing.ckpt"], 4, "missing.ckpt"),
        (["PHOTO", "--checkpoint", "CHECKPOINT", "--size", "8"], 2, "--size"),
        (["PHOTO", "--size", "0"], 2, "--size"),
    ],
)
def test_a_mistake_is_one_line_and_its_exit_code(
    cnn_train: Any, photo: Path, checkpoint: Path, tmp_path: Path, arguments: list[str], code: int,
    message: str,
) -> None:  # fmt: skip
    (tmp_path / "text.png").write_text("no image at all")
    named = {"PHOTO": photo, "CHECKPOINT": checkpoint}
    outcome = cnn_train("inspect", *(named.get(one, one) for one in arguments))
    assert (outcome.exit_code, message in outcome.stderr) == (code, True), outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("L", "30 × 40 × 1 = 1,200 values (grey, 8 bits)"),
        ("I;16", "30 × 40 × 1 = 1,200 values (grey, 16 bits)"),
        ("P", "30 × 40 × 1 = 1,200 values (numbers of a palette's colours)"),
        ("RGBA", "30 × 40 × 4 = 4,800 values (RGB with transparency)"),
        ("RGB", None),
    ],
)
def test_what_the_file_itself_holds_is_said_where_it_is_not_plain_rgb(
    cnn_train: Any, tmp_path: Path, mode: str, words: str | None
) -> None:
    Image.new(mode, (40, 30)).save(tmp_path / "a.png")
    page = cnn_train("inspect", "a.png").stdout
    assert ("the file holds" in page) == (words is not None)
    assert (words or "") in page
    file = cnn_train("inspect", "a.png", "--json").document["file"]
    assert file == {
        "mode": mode,
        "num_channels": 4 if mode == "RGBA" else 3 if mode == "RGB" else 1,
    }
