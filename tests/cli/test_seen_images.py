"""Images that were trained on are named wherever they would be measured; counts by raw bytes."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cnn_train.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from cnn_train.data.dataset import DataAccess
from cnn_train.data.folder.dataset import FolderConfig
from cnn_train.data.splits import load_training_splits

Run = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("no_pictures")


def draw(folder: Path, contents: Iterable[int], suffix: str = "png") -> None:
    """Write noise, 12 × 10 pixels, that a number decides."""
    folder.mkdir(parents=True, exist_ok=True)
    for content in contents:
        noise = np.random.default_rng(content).integers(0, 256, (10, 12, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{content:04}.{suffix}")


@pytest.fixture
def fit(cnn_train: Run, tmp_path: Path) -> Run:
    """Return a function that trains one epoch on a folder; a network for any size of image."""
    config = tmp_path / "c.yaml"
    config.write_text(
        "data: {name: folder, root: images, image_size: 8, val_fraction: 0.3}\n"
        "model: {name: fastnet, widths: [2, 4], extra_convolutions: [0, 0], pools: [2, 1],\n"
        "        head_pool: max}\n"
        "epochs: 1\nprecision: float32\n"
    )

    def fit(*arguments: object, **settings: object) -> Any:
        changed = [f"--set=data.{name}={value}" for name, value in settings.items()]
        places = ("--data-dir", "data", "--json", *changed)
        ended = cnn_train("fit", *arguments, *places)
        assert ended.exit_code == 0, ended.stderr
        return ended

    return lambda *arguments, **settings: fit("-c", config, *arguments, **settings)


def test_27_of_40_and_80_of_140_images_were_trained_on(
    fit: Run, cnn_train: Run, tmp_path: Path
) -> None:
    """At another size and in another format; the second run trains on 30 of the test images."""
    for root, format_ in (("first", "png"), ("second", "bmp")):
        for name, start in (("cat", 0), ("dog", 1000)):
            folder = tmp_path / root
            begin = start + (0 if root == "first" else 200)
            draw(folder / "train" / name, range(begin, begin + 60), format_)
            if root == "first":
                draw(folder / "val" / name, range(start + 900, start + 905))
    second = tmp_path / "second"
    draw(second / "val" / "cat", [*range(20), *range(500, 510)], "bmp")
    draw(second / "val" / "dog", [*range(1000, 1007), *range(1500, 1503)], "bmp")
    draw(second / "test" / "cat", [*range(50), *range(600, 640)])
    draw(second / "test" / "dog", [*range(1200, 1230), *range(1600, 1620)])

    first = fit(root="first").document
    assert first["num_val_trained_on"] == 0
    ended = fit("--weights", first["run_dir"], root="second", image_size=16)
    second_run = ended.document["run_dir"]
    assert ended.document["num_val_trained_on"] == 27
    assert "warning: 27 of 40 validation images were trained on (val/cat/0000.bmp" in ended.stderr

    counts = {"val": (27, 40), "test": (80, 140), "train": (120, 120)}
    for split, (num_seen, num_images) in counts.items():
        options = ("--split", split, "--data-dir", "data", "--json")
        ended = cnn_train("evaluate", second_run, *options)
        assert ended.document["num_trained_on"] == num_seen
        assert ended.document["num_examples"] == num_images
        said = f"warning: {num_seen} of {num_images} {split} images were trained on" in ended.stderr
        assert said == (split != "train")


def bytes_of(root: Path, **settings: Any) -> list[set[bytes]]:
    """Return the raw bytes of the images that are trained on and of those held out."""
    config = FolderConfig(root=root, image_size=8, val_fraction=0.3, **settings)
    splits = load_training_splits(config, DataAccess(root.parent / "data"))
    return [{(root / name).read_bytes() for name in split.names} for split in splits]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for name, start in (("cat", 0), ("dog", 1000)):
        draw(tmp_path / "images" / "train" / name, range(start, start + 30))
    return tmp_path / "images"


def test_another_seed_of_the_split_leaks_and_says_how_much(fit: Run, images: Path) -> None:
    trained, _ = bytes_of(images)
    _, held_out = bytes_of(images, split_seed=1)
    number = len(trained & held_out)
    assert number > 5
    first = fit().document["run_dir"]
    said = f"{number} of {len(held_out)} validation images were trained on"
    fresh = fit("--weights", first, split_seed=1)
    changes = "--allow-config-change=data.split_seed", "--allow-config-change=epochs"
    resumed = fit("--resume", first, "--set=epochs=2", *changes, split_seed=1)
    for ended in (fresh, resumed):
        assert ended.document["num_val_trained_on"] == number
        assert said in ended.stderr


def test_images_that_are_added_leak_nothing(fit: Run, images: Path) -> None:
    _, held_out = bytes_of(images)
    first = fit().document["run_dir"]
    draw(images / "train" / "cat", range(100, 160))
    draw(images / "train" / "bird", range(2000, 2030))
    ended = fit("--weights", first, "--new-head")
    assert ended.document["num_val_trained_on"] == 0
    assert "were trained on" not in ended.stderr
    assert held_out < bytes_of(images)[1]
    # by position, which the first release did, many of them change sides
    by_position = fit(name="folder", split="position").document["run_dir"]
    draw(images / "train" / "cat", range(200, 260))
    assert fit("--weights", by_position, split="position").document["num_val_trained_on"] > 5


def test_where_nobody_knows_what_weights_were_trained_on_that_is_said(
    fit: Run, cnn_train: Run, images: Path
) -> None:
    draw(images / "test" / "cat", range(3))
    draw(images / "test" / "dog", range(1000, 1003))
    old = replace(
        load_checkpoint(Path(fit().document["best_checkpoint"])), training_images=torch.tensor([0])
    )
    save_checkpoint(old, Path("old.ckpt"))
    unknown = "which images the weights were trained on is not known"
    assert unknown in fit("--weights", "old.ckpt").stderr
    evaluated = cnn_train("evaluate", "old.ckpt", "--data-dir", "data")
    assert unknown in evaluated.stderr


def test_a_run_keeps_its_old_split_where_the_config_names_none(fit: Run, images: Path) -> None:
    first = fit(split="position").document
    ended = fit("--resume", "auto", "--set=epochs=2", "--allow-config-change", "epochs")
    assert ended.document["run_dir"].endswith(first["run_dir"])
    data = load_checkpoint(Path(ended.document["last_checkpoint"])).config["data"]
    assert (data["split"], data["split_seed"]) == ("position", 0)
    assert ended.document["num_val_trained_on"] == 0


def test_fit_and_verify_name_what_is_there_twice_and_fit_opens_no_test_image(
    fit: Run, cnn_train: Run, images: Path
) -> None:
    draw(images / "val" / "cat", [*range(4), 50])
    draw(images / "val" / "dog", [1000, 1050])
    draw(images / "train" / "dog", [0])
    draw(images / "test" / "cat", [1, 2, 60])
    draw(images / "test" / "dog", [1050, 1060])
    ended = fit()
    assert [
        (tuple(one["splits"]), len(one["pairs"]), one["num_relabelled"])
        for one in ended.document["duplicates"]
    ] == [(("training", "training"), 1, 1), (("training", "validation"), 5, 0)]
    assert ended.document["num_val_trained_on"] == 5
    assert (
        "5 of 7 validation images are in training too (val/cat/0000.png = train/cat" in ended.stderr
    )
    assert "Decoding the test images" not in ended.stderr

    verify = ("data", "verify", "-c", "c.yaml", "--data-dir", "data")
    found = {
        tuple(one["splits"]): (len(one["pairs"]), one["num_examples"], one["num_relabelled"])
        for one in cnn_train(*verify, "--json").document["duplicates"]
    }
    assert found == {
        ("train", "train"): (1, 61, 1),
        ("train", "val"): (5, 7, 0),
        ("train", "test"): (2, 5, 0),
        ("val", "test"): (3, 5, 0),
    }
    ended = cnn_train(*verify)
    assert (ended.exit_code, ended.stdout.splitlines()[0]) == (0, "train: 61 images, ok")
    assert "warning: 2 of 5 test images are in train too (test/cat/0001.png" in ended.stderr
    assert "≈" not in ended.stderr
    Image.open(images / "train/cat/0007.png").save(images / "test/cat/7.jpg", quality=95)
    ended = cnn_train(*verify, "--near", 6)
    assert "1 of 6 test images are nearly in train too (test/cat/7.jpg ≈ train/cat/0007.png)" in (
        ended.stderr
    )
