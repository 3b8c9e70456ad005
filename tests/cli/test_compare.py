"""``cnn-train compare`` and ``evaluate --against``: on runs that take a moment."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Run = Callable[..., Any]
CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


@pytest.fixture
def two(cnn_train: Run, tiny_config: Path, no_pictures: None) -> list[Path]:
    """Train two classifiers with other seeds and rates on the same drawings."""
    return [train(cnn_train, tiny_config, f"seed={s}", f"optimizer.lr=0.0{s + 1}") for s in (0, 1)]


def train(cnn_train: Run, config: Path, *settings: str) -> Path:
    options = [word for setting in settings for word in ("--set", setting)]
    cnn_train("fit", "--config", config, *options)
    return (Path("runs") / "latest").resolve().relative_to(Path.cwd())


def test_runs_are_compared_by_settings_results_curves_and_on_the_images_all_held_out(
    cnn_train: Run, two: list[Path]
) -> None:
    outcome = cnn_train("compare", *two, "latest", "--out", "curves.png")
    assert outcome.exit_code == 0, outcome.stderr
    page = outcome.stdout
    assert re.search(rf"^A  {two[0]} +2 +2 ", page, re.MULTILINE)
    assert re.search(r"^optimizer.lr +0.01 +0.02 *$", page, re.MULTILINE)
    assert re.search(r"^[AB] is right on \d+ images? where [AB] is wrong, ", page, re.MULTILINE)
    with Image.open("curves.png") as picture:
        assert picture.size[0] > 1000
    assert cnn_train("compare", *two, "--no-test", "--out", "runs.html").exit_code == 0
    html = Path("runs.html").read_text("utf-8")
    assert "<td>optimizer.lr</td>" in html and "data:image/svg+xml;base64," in html
    found = cnn_train("compare", *two, "--json").document
    assert found["differences"] == {
        "runs": list(map(str, two)), "seed": [0, 1], "optimizer.lr": [0.01, 0.02],
    }  # fmt: skip
    paired = found["paired"]
    assert f"{paired['num_images']} images that all held out for validation" in page
    for run, correct in zip(found["runs"], paired["num_correct"], strict=True):
        assert correct / paired["num_images"] == pytest.approx(run["val_accuracy"])
        assert run["size"] > 0


def test_a_run_whose_checkpoint_is_gone_keeps_its_curves_and_leaves_the_test_to_others(
    cnn_train: Run, tiny_config: Path, two: list[Path]
) -> None:
    for path in two[0].glob("*.ckpt"):
        path.unlink()
    outcome = cnn_train("compare", *two, "--out", "curves.png")
    assert outcome.exit_code == 0
    assert Path("curves.png").exists()
    assert "A is not tested: " in outcome.stdout and "no checkpoint in it" in outcome.stdout
    assert "McNemar" not in outcome.stdout
    third = train(cnn_train, tiny_config, "seed=2")
    found = cnn_train("compare", *two, third, "--json").document
    assert found["paired"]["models"] == [str(two[1]), str(third)]
    assert len(found["notes"]) == 1


def test_images_that_one_run_trained_on_are_no_test(
    cnn_train: Run, tiny_config: Path, two: list[Path]
) -> None:
    num_held_out = cnn_train("compare", *two, "--json").document["paired"]["num_images"]
    other = train(cnn_train, tiny_config, "data.split_seed=9")
    paired = cnn_train("compare", two[0], other, "--json").document["paired"]
    assert paired is None or paired["num_images"] < num_held_out
    elsewhere = train(cnn_train, tiny_config, "data.seed=5")
    lines = cnn_train("compare", two[0], elsewhere).stdout
    assert "no test: no image was measured by all of them" in lines


def test_the_test_split_stays_closed_and_without_the_test_no_image_is_read(
    cnn_train: Run, two: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("images were read")

    monkeypatch.setattr("cnn_train.data.shapes.dataset.ShapesConfig.load_test", refuse)
    assert cnn_train("compare", *two).exit_code == 0
    monkeypatch.setattr("cnn_train.data.shapes.dataset.ShapesConfig.load_train", refuse)
    found = cnn_train("compare", *two, "--no-test", "--json").document
    assert found["paired"] is None and found["notes"] == []


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("latest",), 2, "name 2 to 26 different runs, not 1"),
        (("latest", "runs/latest"), 2, "name 2 to 26 different runs, not 1"),
        (("latest", "absent"), 4, "absent: no run"),
        (("latest", "best", "--out", "c.gif"), 2, "figures are saved as .png or .svg"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    cnn_train: Run, tmp_path: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    run = tmp_path / "runs" / "a-20260102-030405-abcd"
    run.mkdir(parents=True)
    (tmp_path / "runs" / "latest").symlink_to(run.name)
    outcome = cnn_train("compare", *words)
    assert (outcome.exit_code, outcome.stdout) == (code, "")
    assert message in outcome.stderr


def test_damaged_runs_alone_are_nothing_to_compare(cnn_train: Run, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "resolved.yaml").write_text("a: [")
    outcome = cnn_train("compare", "a", "b")
    assert outcome.exit_code == 4 and "so are the others" in outcome.stderr


def test_evaluate_tests_another_model_on_the_same_images_of_the_split(
    cnn_train: Run, two: list[Path]
) -> None:
    plain = cnn_train("evaluate", two[0], "--json").document
    found = cnn_train("evaluate", two[0], "--against", two[1], "--json").document
    against = found.pop("against")
    assert found == plain
    assert against["num_images"] == 20
    assert against["num_correct"][0] == round(20 * plain["accuracy"])
    (pair,) = against["tests"]
    difference = against["num_correct"][0] - against["num_correct"][1]
    assert pair["only_first"] - pair["only_second"] == difference
    shown = cnn_train("evaluate", two[0], "--against", two[1])
    assert "20 images of the test split" in shown.stdout and "p = " in shown.stdout
    assert "(as requested)" not in shown.stderr  # each model chooses its device: .onnx has the CPU
    trained_on = cnn_train("evaluate", two[0], "--against", two[1], "--split", "train")
    assert trained_on.exit_code == 0
    assert "one of them was trained on each of the" in " ".join(trained_on.stdout.split())
    absent = cnn_train("evaluate", two[0], "--against", "runs/absent")
    assert absent.exit_code == 4 and "Scoring" not in absent.stderr  # told before slow work
    sliced = cnn_train("evaluate", two[0], "--against", two[1], "--slices")
    assert sliced.exit_code == 2 and "leave --slices out" in sliced.stderr


def test_a_model_of_another_dataset_is_tested_on_the_images_that_are_here(
    cnn_train: Run, tiny_config: Path, no_pictures: None
) -> None:
    folder = "data={name: folder, root: images, image_size: 32}"
    made = cnn_train(
        "data", "export", "--config", "quickstart", "--split", "train", "--out", "images/train",
        "--set", "data.num_train=40",
    )  # fmt: skip
    assert made.exit_code == 0, made.stderr
    for old, new in zip(sorted(Path("images/train").iterdir()), CIFAR10, strict=True):
        old.rename(old.with_name(new))
    against = ("--split", "val", "--against", "pretrained:linear", "--offline")
    outcome = cnn_train("evaluate", train(cnn_train, tiny_config, folder), *against)
    assert "B  pretrained:linear" in outcome.stdout, outcome.stderr
    next(Path("images/train").iterdir()).rename("images/train/unicorn")
    outcome = cnn_train("evaluate", train(cnn_train, tiny_config, folder), *against)
    assert outcome.exit_code == 0
    assert "has classes that training lacks: unicorn" in " ".join(outcome.stdout.split())


def test_best_is_taken_wherever_a_run_is(cnn_train: Run, two: list[Path]) -> None:
    runs = cnn_train("runs", "--json").document["runs"]
    best = max(runs, key=lambda run: (run["val_accuracy"], -run["val_loss"]))["run_dir"]
    found = cnn_train("evaluate", "runs/best", "--json").document
    assert found["checkpoint"] == str(Path(best) / "best.ckpt")
    shutil.rmtree(best)
    assert best not in cnn_train("checkpoint", "show", "runs/best").stdout
