import json
import re
import shutil
import signal
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from torture_campaign.children import Child

from cnn_train.data.catalogue import DATASETS

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def _test_split_stays_closed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("explore opened the test split")

    monkeypatch.setenv("CNN_TRAIN_DATA", str(tmp_path / "data"))
    for dataset in DATASETS.values():
        monkeypatch.setattr(dataset, "load_test", refuse)


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let the server stop at once; collect what its page would have been told."""
    from cnn_train.explore.server import ExploreServer

    told: list[Any] = []

    def stop(self: ExploreServer) -> None:
        told.append(self.site.reads["api/page"]())
        raise KeyboardInterrupt

    monkeypatch.setattr(ExploreServer, "serve_forever", stop)
    return told


def test_a_checkpoints_page_is_served_until_ctrl_c(
    start_command: Callable[..., Child], checkpoint: Path, tmp_path: Path
) -> None:
    options = ("--no-browser", "--data-dir", tmp_path)
    process = start_command("explore", checkpoint, *options, cwd=tmp_path)
    process.wait_until_said("\n", "stdout")
    url = process.said("stdout").strip().partition("#")[0]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32,}/", url)
    with urllib.request.urlopen(f"{url}api/page", timeout=60) as answer:
        page = json.load(answer)
    assert (page["model"], page["split"]) == ("linear", "validation images")
    process.signal(signal.SIGINT)
    ended = process.wait(30)
    assert ended.exit_code == 130
    assert ended.stderr.splitlines()[-1] == "stopped"


def test_a_run_has_its_checkpoints_and_a_file_to_begin_with(
    cnn_train: Run, pages: list[Any], tiny_config: Path, tmp_path: Path
) -> None:
    assert cnn_train("fit", "--config", tiny_config).exit_code == 0
    Image.new("RGB", (64, 48), (200, 10, 10)).save(tmp_path / "red.png")
    result = cnn_train("explore", "runs/latest", "--no-browser", "--image", "red.png")
    assert result.exit_code == 130, result.stderr
    (page,) = pages
    assert page["title"].startswith("tiny-")
    assert [one["epoch"] for one in page["checkpoints"]] == [1, 2]
    assert page["image"]["name"] == "red.png"
    assert (page["image"]["preview"]["width"], page["image"]["preview"]["height"]) == (64, 48)


def test_without_its_images_a_warning_says_why_and_the_page_works(
    cnn_train: Run, pages: list[Any], tmp_path: Path
) -> None:
    for name, level in (("cat", 0), ("dog", 90)):
        folder = tmp_path / "photos" / "train" / name
        folder.mkdir(parents=True)
        for i in range(8):
            Image.new("RGB", (8, 8), (level + i, 0, 0)).save(folder / f"{i}.png")
    config = tmp_path / "photos.yaml"
    config.write_text(
        "data: {name: folder, root: photos, image_size: 8}\nmodel: {name: linear}\nepochs: 1\n"
    )
    assert cnn_train("fit", "--config", config).exit_code == 0
    shutil.move(tmp_path / "photos", tmp_path / "moved")
    result = cnn_train("explore", "runs/latest", "--no-browser")
    assert result.exit_code == 130 and "no validation images: " in result.stderr
    assert pages[0]["split"] is None and "photos" in pages[0]["why_no_images"]
    result = cnn_train("explore", "runs/latest", "--no-browser", "--data-root", "moved")
    assert result.exit_code == 130 and pages[1]["num_images"] > 0
    result = cnn_train("explore", "runs/latest", "--no-browser", "--data-root", "nowhere")
    assert result.exit_code == 3 and len(pages) == 2


@pytest.mark.parametrize(
    ("arguments", "exit_code", "reason"),
    [
        (("absent",), 4, "absent: "),
        (("{checkpoint}", "--image", "absent.png"), 3, "absent.png: no such file"),
        (("{checkpoint}", "--device", "cuda"), 2, "--device cuda: "),
        (("model.onnx",), 2, "model.onnx: explore needs the network's layers"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(
    cnn_train: Run, checkpoint: Path, arguments: tuple[str, ...], exit_code: int, reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    words = [word.format(checkpoint=checkpoint) for word in arguments]
    result = cnn_train("explore", *words, "--no-browser")
    assert result.exit_code == exit_code, result.stderr
    assert reason in result.stderr and "Traceback" not in result.stderr
