"""Every bad or unusual image file at once, as ``cnn-train predict`` meets them."""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torture_campaign.bad_images import (
    COLOUR,
    JPEG,
    PNG,
    SIDE_PX,
    claims,
    encode,
    write_unusable,
)  # fmt: skip

from cnn_train.checkpoints.checkpoint import save_checkpoint
from cnn_train.cli.main import main
from cnn_train.data.image_set import ImageSet
from cnn_train.data.images.files import load_image
from cnn_train.data.images.square import fit_square
from cnn_train.errors import DataError
from cnn_train.experiment import ExperimentConfig
from cnn_train.machine.device import resolve_device
from cnn_train.training.building import build_session

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of an untrained linear classifier of colour images."""
    config = ExperimentConfig.model_validate({"model": {"name": "linear"}, "precision": "float32"})
    generator = torch.Generator().manual_seed(0)
    shape = (20, 3, SIDE_PX, SIDE_PX)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    names = tuple(str(i) for i in range(20))
    images = ImageSet(pixels, torch.arange(20) % 4, ("a", "b", "c", "d"), names)
    path = tmp_path_factory.mktemp("model") / "best.ckpt"
    save_checkpoint(build_session(config, images, images, resolve_device("cpu")).checkpoint(), path)
    return path


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    checkpoint: Path,
    tmp_path: Path,
) -> Run:
    """Predict in ``tmp_path``; return (exit code, stdout, stderr) as a terminal gets them."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        named = [*map(str, arguments), "--checkpoint", str(checkpoint), "--device", "cpu"]
        monkeypatch.setattr(sys, "argv", ["cnn-train", "predict", *named])
        with pytest.raises(SystemExit) as end:
            main()
        written = capfd.readouterr()
        return int(end.value.code or 0), written.out, written.err

    return run


def write_all(folder: Path, contents: dict[str, bytes]) -> None:
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def error_lines(err: str) -> list[str]:
    return [line for line in err.splitlines() if line.startswith("error: ")]


def test_every_unusable_file_is_one_line_and_the_others_are_predicted(run: Run, tmp_path: Path):
    write_all(tmp_path, {"good.png": PNG, "good.jpg": JPEG})
    named = [*write_unusable(tmp_path), "good.png", "good.jpg"]
    code, out, err = run(*named)
    assert code == 3
    assert err.count("\n") == 2 + len(named) - 2  # model, number of images; the two good ones
    assert len(error_lines(err)) == len(named) - 2
    assert "\x1b" not in err and r"line\nbreak.png: is a text file" in err
    assert [line for line in out.splitlines() if "good." in line] == ["good.png", "good.jpg"]
    document = json.loads(run(*named, "--json")[1])
    assert [one["path"] for one in document["predictions"]] == ["good.png", "good.jpg"]
    assert {one["path"] for one in document["errors"]} == {*named} - {"good.png", "good.jpg"}


def test_what_is_odd_about_a_usable_image_is_said(run: Run, tmp_path: Path):
    notices = {
        "1x1.png": (encode(COLOUR[:1, :1], "PNG"), "hardly an image"),
        "jpeg.png": (JPEG, "is a JPEG file"),
        "good.png": (PNG, ""),
    }
    write_all(tmp_path, {name: content for name, (content, _) in notices.items()})
    code, out, _ = run(*notices)
    assert code == 0
    for name, (_, notice) in notices.items():
        assert notice in out.partition(f"{name}\n")[2].splitlines()[0]


def test_a_bomb_of_200_megapixels_is_refused_and_the_others_are_predicted(run: Run, tmp_path: Path):
    write_all(tmp_path, {"bomb.png": claims(20_000, 10_000), "good.png": PNG})
    code, out, err = run("bomb.png", "good.png")
    assert (code, "good.png" in out) == (3, True)
    assert "bomb.png: has more than 178 megapixels; make the image smaller" in err


def test_photos_of_50_and_108_megapixels_are_read(tmp_path: Path):
    sizes = {"50.jpg": (8192, 6144), "108.jpg": (12_000, 9000), "50.png": (8192, 6144)}
    shapes = {"50.jpg": (6144, 8192, 3), "108.jpg": (4500, 6000, 3), "50.png": (6144, 8192, 3)}
    for name, size in sizes.items():
        Image.new("RGB", size, "red").save(tmp_path / name)
        assert load_image(tmp_path / name).pixels_HWC.shape == shapes[name]


SEEDS = {
    "png": PNG,
    "palette.png": encode(Image.fromarray(COLOUR).quantize(16), "PNG"),
    "jpg": JPEG,
    "progressive.jpg": encode(COLOUR, "JPEG", progressive=True),
    "webp": encode(COLOUR, "WEBP"),
    "lossless.webp": encode(COLOUR, "WEBP", lossless=True),
    "bmp": encode(COLOUR, "BMP"),
    "gif": encode(Image.fromarray(COLOUR).quantize(16), "GIF"),
    "tif": encode(COLOUR, "TIFF"),
    "lzw.tif": encode(COLOUR, "TIFF", compression="tiff_lzw"),
    "ppm": encode(COLOUR, "PPM"),
}
changes = st.lists(
    st.tuples(st.integers(0, 2**16), st.integers(0, 3), st.binary(max_size=4)),
    min_size=1,
    max_size=4,
)
"""Each replaces some bytes at a place by others; a place far beyond the end wraps around."""


def spoil(content: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for place, num_removed, replacement in edits:
        start = place % (len(content) + 1)
        content = content[:start] + replacement + content[start + num_removed :]
    return content


spoiled = st.builds(spoil, st.sampled_from(list(SEEDS.values())), changes)
random_bytes = st.builds(
    lambda seed, length, tail: seed[:length] + tail,
    st.sampled_from(list(SEEDS.values())),
    st.integers(0, 32),
    st.binary(max_size=200),
)


@settings(max_examples=300, deadline=None)
@given(content=spoiled | random_bytes | st.binary(max_size=300))
def test_no_bytes_whatever_give_anything_but_pixels_or_one_line(content: bytes):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "image.bin")
        path.write_bytes(content)
        try:
            pixels_HWC = load_image(path).pixels_HWC
        except DataError as problem:
            refusal = str(problem)
        else:
            refusal = f"{path}: "
            assert fit_square(pixels_HWC, 8).shape == (8, 8, 3)
    assert refusal.startswith(f"{path}: ") and "\n" not in refusal
