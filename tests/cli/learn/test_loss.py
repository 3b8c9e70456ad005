from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cnn_train.data.dataset import DataAccess
from cnn_train.data.splits import load_training_splits
from cnn_train.inference.trained_model import load_trained_model
from cnn_train.losses import LOSSES

Run = Callable[..., Any]
CAT = ("--scores", "3.2 5.1 -1.7", "--label", 0)


def test_the_hinge_page_shows_every_term_of_the_slide(cnn_train: Run) -> None:
    page = cnn_train("learn", "loss", "hinge").stdout
    assert "hinge: L_i = Σ_(j≠y) max(0, s_j - s_y + 1)" in page
    rows = [line.split() for line in page.splitlines()]
    assert ["car", "5.1000", "2.9000", "2.9000", "1.0000"] in rows
    assert ["frog", "-1.7000", "-3.9000", "0.0000", "0.0000"] in rows
    assert "L_3 = 6.3000 + 6.6000 = 12.9000" in page
    assert "L = (2.9000 + 0.0000 + 12.9000) / 3 = 5.2667" in page
    assert "the loss that trains networks says 5.2667" in page
    assert "torch.nn.MultiMarginLoss says 1.7556" in page
    assert "-0.0000" not in page


def test_the_cross_entropy_page_shows_every_term_of_the_slide(cnn_train: Run) -> None:
    page = cnn_train("learn", "loss", "cross_entropy").stdout
    rows = [line.split() for line in page.splitlines()]
    assert ["cat", "3.2000", "24.5325", "0.1300", "2.0404", "-0.8700"] in rows
    assert "L = (2.0404 + 0.0791 + 6.1565) / 3 = 2.7587" in page
    assert "the loss that trains networks says 2.7587" in page


def test_own_scores_are_worked_out_in_json_too(cnn_train: Run) -> None:
    options = ("--scores", "0, −1, 4", "--label", 2, "--json", "--set", "loss.margin=6")
    document = cnn_train("learn", "loss", "hinge", *CAT, *options).document
    settings = {"name": "hinge", "weights": "none", "margin": 6.0, "squared": False}
    assert document["loss"] == settings
    assert document["class_names"] == ["class 0", "class 1", "class 2"]
    first, second = document["examples"]
    assert first["terms"] == pytest.approx([0, 7.9, 1.1])
    assert second["terms"] == pytest.approx([2, 1, 0])
    assert document["mean"] == document["training_loss"] == pytest.approx(6.0)


def test_huge_scores_are_short_and_the_largest_is_said_to_be_subtracted(cnn_train: Run) -> None:
    page = cnn_train("learn", "loss", "hinge", "--scores", "1e200 0 0", "--label", 1).stdout
    assert "L_1 = 1.0000e+200 + 1.0000 = 1.0000e+200" in page
    options = ("--scores", "1000 -1000 3", "--label", 1)
    page = cnn_train("learn", "loss", "cross_entropy", *options).stdout
    assert "exp(s_j - max s)" in page and "the largest score is subtracted" in page
    page = cnn_train("learn", "loss", "cross_entropy").stdout
    assert "subtracted" not in page


def test_a_score_exactly_on_the_margin_is_said_to_be_at_a_kink(cnn_train: Run) -> None:
    options = ("learn", "loss", "hinge", "--scores", "2,1,3", "--label", 0)
    assert "class 1: exactly on the margin" in cnn_train(*options).stdout
    assert "on the margin" not in cnn_train(*options, "--set", "loss.squared=true").stdout
    assert "on the margin" not in cnn_train(*options, "--set", "loss.margin=2").stdout


def test_what_rounds_to_zero_has_no_sign(cnn_train: Run) -> None:
    options = ("--scores", "100,3,-1000", "--label", 0)
    assert "-0.0000" not in cnn_train("learn", "loss", "cross_entropy", *options).stdout


def test_more_images_than_there_are_is_said(cnn_train: Run, checkpoint: Path) -> None:
    outcome = cnn_train("learn", "loss", "hinge", "--checkpoint", checkpoint, "--images", 100_000)
    assert "(there are no 100,000)" in outcome.stderr


def test_label_smoothing_shows_the_target(cnn_train: Run) -> None:
    options = ("--set", "loss.label_smoothing=0.1")
    page = cnn_train("learn", "loss", "cross_entropy", *CAT, *options).stdout
    assert "t_j" in page and "L_1 = 1.9043 + 0.0047 + 0.2313 = 2.1404" in page


@pytest.mark.parametrize("name", ["hinge", "cross_entropy"])
@pytest.mark.parametrize("split", ["train", "val"])
def test_images_under_a_checkpoint_are_scored_by_it(
    cnn_train: Run, checkpoint: Path, tmp_path: Path, name: str, split: str
) -> None:
    options = ("--checkpoint", checkpoint.parent, "--images", 3, "--split", split, "--json")
    document = cnn_train("learn", "loss", name, *options).document
    trained = load_trained_model(checkpoint, "cpu")
    train, val = load_training_splits(trained.config.data, DataAccess(tmp_path, offline=True))
    images = train if split == "train" else val
    chosen = images.select(torch.arange(3) * len(images) // 3)
    scores_NK = trained.scores(chosen.images_NCHW)
    assert [one["name"] for one in document["examples"]] == list(chosen.names)
    assert document["class_names"] == list(images.class_names)
    for example, scores_K in zip(document["examples"], scores_NK, strict=True):
        assert example["scores"] == pytest.approx(scores_K.tolist(), abs=1e-4)
    expected = LOSSES[name]().build()(scores_NK.double(), chosen.labels_N).item()
    assert document["mean"] == pytest.approx(expected, rel=1e-4)


def test_a_checkpoints_own_settings_of_the_loss_are_used(cnn_train: Run, tiny_config: Path) -> None:
    options = ("--set", "loss={name: hinge, margin: 3.0}", "--set", "epochs=1")
    assert cnn_train("fit", "-c", tiny_config, *options).exit_code == 0
    page = cnn_train("learn", "loss", "hinge", "--checkpoint", "runs/latest", "--images", 99)
    assert "s_j - s_y + 3" in page.stdout
    assert "… and 5 more; --json has them all" in page.stdout  # one image of each class
    assert "L = (sum of the L_i) / 10 = " in page.stdout
    other = cnn_train("learn", "loss", "cross_entropy", "--checkpoint", "runs/latest", "--json")
    assert other.document["loss"]["name"] == "cross_entropy"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--scores", "1 2"), "1 --scores and 0 --label; give one label each"),
        (("--label", 0), "0 --scores and 1 --label"),
        (("--scores", "1 x", "--label", 0), "--scores '1 x': 'x' is not a number"),
        (("--scores", "1,5 2,5", "--label", 0), "1,5 may be one number or two; decimals take a p"),
        (("--scores", "1", "--label", 0), "give two or more numbers"),
        (("--scores", "1 nan", "--label", 0), "'nan' is not finite"),
        (("--scores", "1 1e301", "--label", 0), "give two or more numbers"),
        (("--scores", "1 2", "--label", 2), "--label 2: 2 scores have labels 0 to 1"),
        (("--scores", "1 2", "--label", -1), "--label -1: 2 scores have labels 0 to 1"),
        ((*CAT, "--scores", "1 2", "--label", 0), "needs the same number of scores"),
        ((*CAT, "--checkpoint", "x"), "leave out --scores and --label"),
        (("--scores", "1 1e300", "--label", 0, "--set", "loss.squared=true"), "too large"),
        (("--set", "loss.name=cross_entropy"), "the page is that of hinge"),
        (("--set", "loss.margim=2"), "did you mean 'margin'?"),
        (("--set", "optimizer.lr=3"), "--set optimizer.lr=3: this page reads the loss alone"),
        (("--images", 5), "--images: goes with --checkpoint"),
        ((*CAT, "--split", "val", "--data-root", "x"), "--split, --data-root: goes with --check"),
    ],
)
def test_a_request_that_makes_no_sense_is_one_line(
    cnn_train: Run, options: tuple[object, ...], message: str
) -> None:
    outcome = cnn_train("learn", "loss", "hinge", *options)
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert message in outcome.stderr and len(outcome.stderr.splitlines()) == 1


def test_the_test_split_cannot_be_asked_for(cnn_train: Run, checkpoint: Path) -> None:
    options = ("--checkpoint", checkpoint, "--split", "test")
    outcome = cnn_train("learn", "loss", "hinge", *options)
    assert outcome.exit_code == 2 and "train" in outcome.stderr


def test_a_missing_checkpoint_is_exit_code_4(cnn_train: Run) -> None:
    assert cnn_train("learn", "loss", "hinge", "--checkpoint", "nowhere.ckpt").exit_code == 4
