import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.transforms.functional import to_pil_image

from cnn_train.checkpoints.checkpoint import save_checkpoint
from cnn_train.data.catalogue import DATASETS
from cnn_train.data.dataset import DataAccess
from cnn_train.data.splits import load_training_splits
from cnn_train.experiment import ExperimentConfig
from cnn_train.machine.device import resolve_device
from cnn_train.training.building import build_session
from cnn_train.visualize.methods import METHODS

Run = Callable[..., Any]
EVERY_METHOD = pytest.mark.parametrize("method", METHODS)


@pytest.fixture(autouse=True)
def _test_split_stays_closed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("visualize opened the test split")

    monkeypatch.setenv("CNN_TRAIN_DATA", str(tmp_path / "data"))
    for dataset in DATASETS.values():
        monkeypatch.setattr(dataset, "load_test", refuse)


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of an untrained, thin VGG-11 of drawn shapes."""
    shapes = {"name": "shapes", "num_train": 40, "num_test": 10, "image_size": 32}
    config = ExperimentConfig.model_validate(
        {"data": shapes, "model": {"name": "vgg11", "width": 2}}
    )
    folder = tmp_path_factory.mktemp("visualize")
    train, val = load_training_splits(config.data, DataAccess(folder, offline=True))
    path = folder / "vgg.ckpt"
    session = build_session(config, train, val, resolve_device("cpu"))
    save_checkpoint(session.checkpoint(), path)
    return path


@EVERY_METHOD
def test_json_is_one_document_and_the_picture_is_written(
    method: str, cnn_train: Run, vgg: Path, tmp_path: Path
) -> None:
    result = cnn_train("visualize", method, vgg, "--json", "--out", "picture.png")
    assert result.exit_code == 0, result.stderr
    document = result.document
    assert (document["method"], document["checkpoint"]) == (method, str(vgg))
    assert len(document) > 2
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert "wrote picture.png" in result.stderr


@EVERY_METHOD
def test_the_page_fits_eighty_columns(
    method: str, cnn_train: Run, vgg: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnn_train.cli import console

    monkeypatch.setattr(console.stdout, "width", 80)
    result = cnn_train("visualize", method, vgg)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) > 2
    assert max(map(len, lines)) <= 80
    assert "add --out FILE.png" in result.stderr


def test_layers_and_channels_are_listed_with_commas_or_by_repeating(
    cnn_train: Run, vgg: Path
) -> None:
    arguments = ("visualize", "top-patches", vgg, "--json")
    commas = cnn_train(*arguments, "--layer", "conv1_1,conv3_2", "--channel", "1,0").document
    repeated = cnn_train(
        *arguments, "--layer", "conv1_1", "--layer", "conv3_2", "--channel", 1, "--channel", 0
    )
    assert commas == repeated.document
    assert [layer["layer"] for layer in commas["layers"]] == ["conv1_1", "conv3_2"]
    assert [channel["channel"] for channel in commas["layers"][0]["channels"]] == [1, 0]


def test_images_come_from_the_chosen_split_in_the_chosen_number(cnn_train: Run, vgg: Path) -> None:
    arguments = ("visualize", "guided", vgg, "--layer", "conv1_1", "--json")
    numbers = [
        cnn_train(*arguments, *more).document["layers"][0]["num_images"]
        for more in ((), ("--split", "train"), ("--split", "train", "--num-images", 7))
    ]
    assert numbers == [10, 30, 7]


def test_an_image_file_is_looked_at_as_the_network_sees_it(
    cnn_train: Run, vgg: Path, tmp_path: Path
) -> None:
    pixels = torch.randint(256, (3, 50, 70), dtype=torch.uint8)
    to_pil_image(pixels).save(tmp_path / "cat.png")
    result = cnn_train("visualize", "cam", vgg, "--image", "cat.png", "--json")
    (one,) = result.document["images"]
    assert (one["image"], one["label"]) == ("cat.png", None)
    assert torch.tensor(one["map"]).shape == (32, 32)
    page = cnn_train("visualize", "guided", vgg, "--image", "cat.png", "--layer", "conv1_1")
    assert "on 1 image\n" in page.stdout or "on 1 image:" in page.stdout
    assert "cat.png 1" in page.stdout


def test_filters_need_no_images(cnn_train: Run, vgg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("opened the images")

    monkeypatch.setattr("cnn_train.evaluation.evaluate.load_split", refuse)
    assert cnn_train("visualize", "filters", vgg).exit_code == 0


def test_a_loss_surface_is_around_the_loss_that_evaluate_prints_of_the_averaged_weights(
    cnn_train: Run, tmp_path: Path
) -> None:
    """The weights themselves have moved away from their average."""
    shapes = {"name": "shapes", "num_train": 40, "num_test": 10, "image_size": 16}
    config = ExperimentConfig.model_validate(
        {"data": shapes, "model": {"name": "linear"}, "ema_decay": 0.9}
    )
    train, val = load_training_splits(config.data, DataAccess(tmp_path, offline=True))
    session = build_session(config, train, val, resolve_device("cpu"))
    with torch.no_grad():
        session.model.fc.weight.mul_(3)
    save_checkpoint(session.checkpoint(), tmp_path / "averaged.ckpt")
    evaluated = cnn_train("evaluate", "averaged.ckpt", "--split", "val", "--json").document
    arguments = ("visualize", "loss-surface", "averaged.ckpt", "--json")
    chosen = ("--num-points", 5, "--reach", 0.5, "--seed", 3)
    result = cnn_train(*arguments, *chosen)
    document = result.document
    assert document["trained"]["data_loss"] == evaluated["loss"]
    assert (document["split"], document["seed"], document["reach"]) == ("val", 3, 0.5)
    assert document["distances"] == [-0.5, -0.25, 0, 0.25, 0.5]
    assert [len(row) for row in document["total_loss"]] == [5] * 5
    assert len(document["images"]) == evaluated["num_examples"] == 10
    assert cnn_train(*arguments, *chosen).stdout == result.stdout
    on_train = cnn_train(*arguments, "--num-points", 3, "--split", "train", "--num-images", 7)
    assert (on_train.document["split"], len(on_train.document["images"])) == ("train", 7)


def test_a_run_with_kept_states_shows_its_path_unless_directions_are_asked_for(
    cnn_train: Run, tmp_path: Path
) -> None:
    shapes = {"name": "shapes", "num_train": 40, "num_test": 10, "image_size": 16}
    options = ("--set", f"data={shapes}", "--set", "model={name: linear}", "--set", "epochs=1",
               "--set", "batch_size=10", "--set", "checkpoint.keep_steps=[0,1]")  # fmt: skip
    assert cnn_train("fit", "--config", "quickstart", *options).exit_code == 0
    arguments = ("visualize", "loss-surface", "runs/latest", "--num-points", 3, "--json")
    document = cnn_train(*arguments, "--out", "path.png").document
    assert document["plane"] == "path" and 0.5 < document["share_in_plane"] <= 1
    assert [one["step"] for one in document["states"]] == [0, 1, 3]
    (last,) = (tmp_path / "runs/latest").resolve().glob("step-*3.ckpt")
    assert document["checkpoint"].endswith(last.name)
    for one in document["states"]:  # each is the very state that RUN@STEP names
        name = f"runs/latest@{one['step']}"
        alone = cnn_train("visualize", "loss-surface", name, "--num-points", 3, "--json")
        assert alone.document["trained"]["total_loss"] == one["total_loss"]
        assert alone.document["plane"] == "random"
        assert "random directions: the path of the weights needs a run" in alone.stderr
    at_random = cnn_train(*arguments, "--plane", "random")
    assert "needs a run" not in at_random.stderr
    best = cnn_train("visualize", "loss-surface", "runs/latest/best.ckpt", *arguments[3:]).document
    assert at_random.document | {"checkpoint": ""} == best | {"checkpoint": ""}
    assert cnn_train(*arguments, "--seed", 0).document == at_random.document


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["maps", "missing.ckpt"], 4, "missing.ckpt"),
        (["dreams", "CHECKPOINT"], 2, "dreams"),
        (["CHECKPOINT"], 2, "No method '"),
        (["maps", "CHECKPOINT", "--layer", "conv9_1"], 2, "error: --layer conv9_1: the model"),
        (["maps", "CHECKPOINT", "--channel", "two"], 2, "error: --channel two: is no channel"),
        (["maps", "CHECKPOINT", "--channel", "99"], 2, "error: --channel 99: the layer has"),
        (["maps", "CHECKPOINT", "--out", "maps.gif"], 2, "saved as .png or .svg"),
        (["maps", "CHECKPOINT", "--split", "test"], 2, "test"),
        (["cam", "CHECKPOINT", "--class", "cow"], 2, "error: --class cow: the model knows"),
        (["cam", "CHECKPOINT", "--image", "none.png"], 3, "error: none.png: no such file"),
        (["maps", "CHECKPOINT", "--layer", ""], 2, "error: --layer '': names nothing"),
        (["maps", "CHECKPOINT", "--channel", ","], 2, "error: --channel ',': names nothing"),
        (["embedding", "CHECKPOINT", "--num-images", "1"], 2, "makes no map; take two"),
        (
            ["cam", "CHECKPOINT", "--image", "a.png", "--split", "train"],
            2,
            "error: --split: the images are those of --image; leave it out",
        ),
        (["occlusion", "CHECKPOINT", "--window", "40"], 2, "error: --window 40: the image"),
        (["maps", "CHECKPOINT", "--data-root", "x"], 2, "--data-root x"),
        (["loss-surface", "CHECKPOINT", "--num-points", "20"], 2, "--num-points 20: is even"),
        (["loss-surface", "CHECKPOINT", "--num-points", "1"], 2, "--num-points"),
        (["loss-surface", "CHECKPOINT", "--reach", "0"], 2, "error: --reach 0: is no dist"),
        (["loss-surface", "CHECKPOINT", "--reach", "nan"], 2, "error: --reach nan: is no"),
        (
            ["loss-surface", "CHECKPOINT", "--plane", "path"],
            2,
            "the path of the weights needs a run",
        ),
        (
            ["loss-surface", "CHECKPOINT", "--plane", "path", "--seed", "1"],
            2,
            "error: --seed: is of random directions; leave it out with --plane path",
        ),
    ],
)
def test_a_mistake_is_one_line_and_its_exit_code(
    cnn_train: Run, vgg: Path, arguments: list[str], code: int, message: str
) -> None:
    named = [vgg if argument == "CHECKPOINT" else argument for argument in arguments]
    result = cnn_train("visualize", *named)
    assert (result.exit_code, message in result.stderr) == (code, True), result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("words", ["-m cam", "-mcam", "--method cam", "--method=cam"])
def test_the_method_may_also_be_an_option_at_any_place(
    cnn_train: Run, vgg: Path, words: str
) -> None:
    rest = ("--json", "--num-images", 2)
    expected = cnn_train("visualize", "cam", vgg, *rest).document
    assert cnn_train("visualize", vgg, *words.split(), *rest).document == expected
    assert cnn_train("visualize", *words.split(), *rest, vgg).document == expected


@pytest.mark.parametrize("arguments", [["-m", "maps", "--window", "4"], ["--seed", "1", "-mcam"]])
def test_an_option_that_a_method_does_not_read_is_refused_by_name(
    cnn_train: Run, vgg: Path, arguments: list[str]
) -> None:
    result = cnn_train("visualize", vgg, *arguments)
    (option,) = {"--window", "--seed"} & set(arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"No such option: {option}" in result.stderr


def test_the_help_of_visualize_lists_every_method_in_a_line(cnn_train: Run) -> None:
    page = cnn_train("visualize", "--help").stdout
    listed = [line.split()[1] for line in page.splitlines() if re.match(r"│ \w", line)]
    assert listed == list(METHODS)


def test_t_sne_without_its_library_is_one_line_that_says_what_to_install(
    cnn_train: Run, vgg: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    result = cnn_train("visualize", "embedding", vgg, "--projection", "tsne")
    assert result.exit_code == 2
    assert "pip install 'cnn-train[embedding]'" in result.stderr.splitlines()[-1]
