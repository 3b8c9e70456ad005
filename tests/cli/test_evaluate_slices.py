from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnn_train.cli import console
from cnn_train.data.challenges import CHALLENGES


def test_slices_print_one_document_that_the_same_seed_repeats(
    cnn_train: Any, checkpoint: Path
) -> None:
    outcome = cnn_train("evaluate", checkpoint, "--slices", "--json")
    document = outcome.document
    assert [one["name"] for one in document["slices"]] == list(CHALLENGES)
    plain = cnn_train("evaluate", checkpoint, "--json").document
    for one in document["slices"]:
        assert one["severities"] == [0, 1, 2, 3, 4, 5]
        assert one["accuracy"][0] == plain["accuracy"] == document["accuracy"]
        assert one["pixels_changed"][0] == 0
    assert len(document["classes"]) == 10
    assert cnn_train("evaluate", checkpoint, "--slices", "--json").stdout == outcome.stdout
    other = cnn_train("evaluate", checkpoint, "--slices", "--json", "--seed", 1).document
    assert other["slices"] != document["slices"]


@pytest.mark.parametrize("width", [80, 160])
def test_the_page_has_a_row_per_challenge_and_class_within_the_terminal(
    cnn_train: Any, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr(console.stdout, "width", width)
    page = cnn_train("evaluate", checkpoint, "--slices", "--severities", "0,5").stdout
    for name in CHALLENGES:
        assert any(line.strip().startswith(name) for line in page.splitlines())
    for words in ("viewpoint", "occlusion", "clutter", "intraclass", "circle", "spread", "changed"):
        assert words in page
    assert max(map(len, page.splitlines())) <= width


def test_severities_choose_the_columns(cnn_train: Any, checkpoint: Path) -> None:
    arguments = ("evaluate", checkpoint, "--slices", "--severities", "1,3-4", "--json")
    document = cnn_train(*arguments).document
    assert {tuple(one["severities"]) for one in document["slices"]} == {(1, 3, 4)}


def test_out_writes_curves_examples_and_the_same_document(
    cnn_train: Any, checkpoint: Path, tmp_path: Path
) -> None:
    arguments = ("evaluate", checkpoint, "--slices", "--severities", "0,5", "--json")
    outcome = cnn_train(*arguments, "--out", "report")
    written = {path.name for path in (tmp_path / "report").iterdir()}
    assert written == {"slices.png", "challenges.png", "slices.json", "report.html"}
    assert (tmp_path / "report" / "slices.json").read_text() == outcome.stdout


def test_out_may_name_a_picture(cnn_train: Any, checkpoint: Path, tmp_path: Path) -> None:
    outcome = cnn_train(
        "evaluate", checkpoint, "--slices", "--severities", "0,5", "--out", "curves.png"
    )
    assert "wrote curves.png" in outcome.stderr
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size[0] > 1_000


def test_corruptions_of_other_classes_are_refused_by_name(
    cnn_train: Any, checkpoint: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "fog.npy", np.zeros((5, 32, 32, 3), np.uint8))
    np.save(tmp_path / "labels.npy", np.zeros(5, np.uint8))
    outcome = cnn_train("evaluate", checkpoint, "--corruptions", ".")
    assert outcome.exit_code == 3
    assert "fog.npy has classes that training lacks: airplane" in outcome.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--slices", "--severities", "0-6"], 2, "--severities 0-6"),
        (["--slices", "--seed", "-1"], 2, "--seed"),
        (["--slices", "--out", "missing/curves.png"], 2, "missing"),
        (["--slices", "--out", "slices.jpg"], 2, "slices.jpg: figures are saved as .png or .svg"),
        (["--out", "report.png"], 2, "--out report.png: the report is several files; name a dir"),
        (["--corruptions", "nowhere"], 3, "nowhere: no such directory"),
        (["--corruptions", "."], 3, "holds neither CIFAR-10-C"),
    ],
)
def test_a_mistake_is_one_line_and_its_exit_code(
    cnn_train: Any, checkpoint: Path, arguments: list[str], code: int, message: str
) -> None:
    outcome = cnn_train("evaluate", checkpoint, *arguments)
    assert (outcome.exit_code, message in outcome.stderr) == (code, True), outcome.stderr
    assert "Traceback" not in outcome.stderr
