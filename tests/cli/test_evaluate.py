import csv
import io
from collections import Counter
from functools import partial
from pathlib import Path

import pytest


@pytest.fixture
def run(cnn_train, monkeypatch, tmp_path):
    monkeypatch.setenv("CNN_TRAIN_DATA", str(tmp_path / "data"))
    return partial(cnn_train, "evaluate")


def is_hinge(checkpoint: Path) -> bool:
    return checkpoint.parent.name.startswith("hinge")


def test_json_is_one_document_with_the_documented_keys(run, checkpoint):
    outcome = run(checkpoint, "--json")
    document = outcome.document
    assert outcome.exit_code == 0
    assert set(document) >= {
        "split", "num_examples", "accuracy", "loss", "per_class", "confusion", "calibration_error",
        "balanced_accuracy", "macro_precision", "macro_recall", "macro_f1",
    }  # fmt: skip
    assert (document["split"], document["num_examples"]) == ("test", 30)
    assert (document["calibration_error"] is None) == is_hinge(checkpoint)
    assert sum(map(sum, document["confusion"])) == 30
    assert "cpu" in outcome.stderr


def test_the_summary_shows_the_accuracy_with_its_interval_and_every_class(run, checkpoint):
    outcome = run(checkpoint)
    out = outcome.stdout
    assert outcome.exit_code == 0
    assert "linear on the test split: 30 images" in out
    assert "95 % interval" in out
    for name in ("arrow", "circle", "triangle"):
        assert name in out
    assert ("these scores are not probabilities" in out) == is_hinge(checkpoint)
    assert "Traceback" not in outcome.stderr


def test_a_run_directory_means_its_best_checkpoint(run, checkpoint):
    assert run(checkpoint.parent, "--json").stdout == run(checkpoint, "--json").stdout


@pytest.mark.parametrize(("split", "number"), [("val", 10), ("train", 30)])
def test_other_splits_can_be_measured(run, checkpoint, split, number):
    document = run(checkpoint, "--split", split, "--json").document
    assert (document["split"], document["num_examples"]) == (split, number)


@pytest.mark.parametrize("tta", ["none", "flip", "flip_translate"])
def test_views_are_recorded(run, checkpoint, tta):
    assert run(checkpoint, "--tta", tta, "--json").document["tta"] == tta


def test_views_of_a_share_are_recorded_and_shown(run, checkpoint):
    arguments = ("--tta", "flip", "--tta-share", "0.5")
    assert "averaged over views (flip) of the 50 % least confident" in " ".join(
        run(checkpoint, *arguments).stdout.split()
    )
    sliced = run(checkpoint, *arguments, "--slices", "--severities", "1", "--json").document
    assert run(checkpoint, *arguments, "--json").document["tta_share"] == 0.5
    assert sliced["tta_share"] == 0.5


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--tta-share", "0.5"), "goes with --tta flip"),
        (("--tta", "flip", "--tta-share", "0"), "above 0"),
        (("--tta", "flip", "--tta-share", "1.5"), "at most 1"),
        (("--tta", "flip", "--tta-share", "nan"), "above 0"),
    ],
)
def test_a_share_of_views_that_means_nothing_is_refused(run, checkpoint, arguments, problem):
    outcome = run(checkpoint, *arguments)
    assert outcome.exit_code == 2
    assert problem in outcome.stderr


def test_the_batch_size_changes_no_number(run, checkpoint):
    whole = run(checkpoint, "--json").document
    parts = run(checkpoint, "--json", "--batch-size", "7").document
    assert parts.pop("loss") == pytest.approx(whole.pop("loss"), abs=1e-6)
    if not is_hinge(checkpoint):
        error = whole.pop("calibration_error")
        assert parts.pop("calibration_error") == pytest.approx(error, abs=1e-6)
    assert parts == whole


def test_out_writes_figures_and_the_same_document(run, checkpoint, tmp_path):
    outcome = run(checkpoint, "--json", "--out", "report")
    picture = "margins.png" if is_hinge(checkpoint) else "calibration.png"
    written = {path.name for path in (tmp_path / "report").iterdir()}
    assert outcome.exit_code == 0
    assert written == {
        "confusion.png", "mistakes.png", picture, "evaluation.json", "report.html"
    }  # fmt: skip
    assert (tmp_path / "report" / "evaluation.json").read_text() == outcome.stdout
    assert ("no calibration.png" in outcome.stderr) == is_hinge(checkpoint)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["missing.ckpt"], 4, "missing.ckpt"),
        (["text.ckpt"], 4, "not a cnn-train checkpoint"),
        (["."], 4, "no checkpoint in it"),
        (["CHECKPOINT", "--data-root", "elsewhere"], 2, "--data-root elsewhere"),
        (["CHECKPOINT", "--device", "abacus"], 2, "abacus"),
        (["CHECKPOINT", "--split", "trial"], 2, "trial"),
        (["CHECKPOINT", "--batch-size", "0"], 2, "batch-size"),
        (["CHECKPOINT", "--out", "text.ckpt"], 2, "--out text.ckpt"),
        ([], 2, "CHECKPOINT"),
    ],
)
def test_a_mistake_is_one_line_and_its_exit_code(
    run, checkpoint, tmp_path, arguments, code, message
):
    (tmp_path / "text.ckpt").write_text("no checkpoint at all")
    named = [checkpoint if argument == "CHECKPOINT" else argument for argument in arguments]
    outcome = run(*named)
    assert (outcome.exit_code, message in outcome.stderr) == (code, True), outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_predictions_are_a_row_per_image_that_agrees_with_the_document(run, checkpoint, tmp_path):
    document = run(checkpoint, "--json", "--predictions", "answers.csv").document
    text = (tmp_path / "answers.csv").read_bytes().decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    classes = [one["label"] for one in document["per_class"]]
    assert [row["index"] for row in rows] == [str(i) for i in range(30)]
    assert len({row["image"] for row in rows}) == 30
    assert sum(int(row["right"]) for row in rows) / 30 == document["accuracy"]
    for row in rows:
        scores = {name: float(row[f"score {name}"]) for name in classes}
        assert scores[row["predicted"]] == max(scores.values())
        assert row["right"] == str(int(row["true"] == row["predicted"]))
        assert (row["probability"] == "") == is_hinge(checkpoint)
    pairs = Counter((row["true"], row["predicted"]) for row in rows)
    counts = [[pairs[true, predicted] for predicted in classes] for true in classes]
    assert counts == document["confusion"]
    assert run(checkpoint, "--predictions", "-").stdout == text


def test_predictions_beside_slices_are_those_of_the_clean_images(run, checkpoint, tmp_path):
    run(checkpoint, "--predictions", "plain.csv")
    run(checkpoint, "--slices", "--severities", "1", "--predictions", "sliced.csv")
    assert (tmp_path / "plain.csv").read_bytes() == (tmp_path / "sliced.csv").read_bytes()


def test_a_class_that_is_never_predicted_is_named(run, checkpoint):
    document = run(checkpoint, "--json").document
    never = [c["label"] for c in document["per_class"] if c["precision"] is None]
    assert never
    shown = " ".join(run(checkpoint).stdout.split())
    assert f"Never predicted: {', '.join(never)}; their precision counts as 0" in shown
