"""``cnn-train checkpoint`` as a user meets it: documents on stdout, talk on stderr, exit codes."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cnn_train.checkpoints.checkpoint import load_checkpoint
from cnn_train.checkpoints.migration import FORMAT_VERSION
from cnn_train.cli import console

VERSION_1 = Path(__file__).parents[1] / "checkpoints" / "version_1.ckpt"

Run = Callable[..., Any]


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A linear classifier of the shapes, as another program would save it."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 10))
    path = tmp_path / "linear.pth"
    torch.save({"net": {f"module.{k}": v for k, v in network.state_dict().items()}}, path)
    return path


COLOURS = ("--mean", "0.5,0.5,0.5", "--std", "0.25,0.25,0.25")


def test_show_prints_what_is_in_a_file(cnn_train: Run) -> None:
    shown = cnn_train("checkpoint", "show", VERSION_1)
    assert shown.exit_code == 0
    for expected in (
        "format 1", "fastnet", "3: cat, dog, owl", "3×8×8", "on folder: cross_entropy, sgd",
        "1 of 3 epochs and 2 minibatches, step 8", "33.33 %", "torch 2.15.0", "averaged weights",
    ):  # fmt: skip
        assert expected in shown.stdout, expected


def test_in_a_window_of_80_columns_every_fingerprint_is_on_one_line(
    cnn_train: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.stdout, "width", 80)
    lines = cnn_train("checkpoint", "show", VERSION_1).stdout.splitlines()
    digests = load_checkpoint(VERSION_1).data_fingerprints
    assert set(digests) == {"train", "val"}
    for split, digest in digests.items():
        assert f"{split} data {digest}" in [" ".join(line.split()) for line in lines]


def test_show_prints_one_document_and_takes_a_run_for_its_best(
    cnn_train: Run, checkpoint: Path
) -> None:
    document = cnn_train("checkpoint", "show", checkpoint.parent, "--json").document
    assert document == cnn_train("checkpoint", "show", checkpoint, "--json").document
    assert document["format_version"] == FORMAT_VERSION
    assert document["config"]["model"]["name"] == "linear"
    assert document["val_accuracy"] is None


def test_verify_names_every_file_and_ends_with_4_where_one_is_damaged(
    cnn_train: Run, tmp_path: Path
) -> None:
    (tmp_path / "good.ckpt").write_bytes(VERSION_1.read_bytes())
    good = cnn_train("checkpoint", "verify", "good.ckpt")
    assert (good.exit_code, good.stdout) == (0, "good.ckpt: ok (epochs done: 1, step 8)\n")
    damaged = bytearray(VERSION_1.read_bytes())
    damaged[1000] ^= 1
    (tmp_path / "bad.ckpt").write_bytes(damaged)
    (tmp_path / "text.ckpt").write_text("hello")
    files = ("bad.ckpt", "good.ckpt", "text.ckpt")
    ended = cnn_train("checkpoint", "verify", *files)
    assert (ended.exit_code, ended.stdout) == (4, good.stdout)
    assert ended.stderr.splitlines()[0] == (
        "error: bad.ckpt: damaged (checksum mismatch); use another checkpoint"
    )
    assert ended.stderr.splitlines()[1].startswith("error: text.ckpt: not a cnn-train checkpoint")
    document = cnn_train("checkpoint", "verify", *files, "--json").document
    assert not document["ok"]
    assert [one["ok"] for one in document["files"]] == [False, True, False]


def test_slim_writes_a_file_that_evaluates_alike_and_says_what_it_is(
    cnn_train: Run, checkpoint: Path
) -> None:
    made = cnn_train("checkpoint", "slim", checkpoint.parent, "--out", "slim.ckpt", "--json")
    assert made.document == cnn_train("checkpoint", "show", "slim.ckpt", "--json").document
    assert (made.document["can_go_on"], made.document["imported_from"]) == (False, "best.ckpt")
    assert re.search(
        r"wrote slim.ckpt: [\d.]+ MB instead of [\d.]+; use it with: cnn-train evaluate slim.ckpt",
        made.stderr,
    )
    before, after = (
        cnn_train("evaluate", path, "--json").document for path in (checkpoint, "slim.ckpt")
    )
    assert before | {"checkpoint": None} == after | {"checkpoint": None}
    half = cnn_train(
        "checkpoint", "slim", checkpoint, "--precision", "float16", "--out", "half.ckpt"
    )
    assert "7,690 numbers in its weights, float16 in the file" in half.stdout
    assert "the weights of best.ckpt alone: no run to go on with" in half.stdout


def test_slim_lets_the_file_name_other_data_and_nothing_else(
    cnn_train: Run, checkpoint: Path
) -> None:
    slim = ("checkpoint", "slim", checkpoint, "--out", "slim.ckpt", "--json", "--set")
    made = cnn_train(*slim, "data={name: folder, root: images, image_size: 16}")
    assert made.document["config"]["data"]["root"] == str(Path("images").absolute())
    for setting in ("epochs=3", "model.nonsense=1"):
        refused = cnn_train(*slim, setting, "--force")
        assert (refused.exit_code, setting.partition("=")[0] in refused.stderr) == (2, True)
    assert (
        "the weights were trained so; only data can change"
        in cnn_train(*slim, "epochs=3", "--force").stderr
    )


def test_weights_go_out_and_come_back_without_a_config(cnn_train: Run, checkpoint: Path) -> None:
    sent = cnn_train("checkpoint", "export-weights", checkpoint, "--out", "x.safetensors")
    assert (sent.exit_code, sent.stdout) == (0, "x.safetensors: weights, 2 tensors\n")
    got = cnn_train("checkpoint", "import", "x.safetensors", "--out", "again.ckpt")
    assert got.exit_code == 0
    before, after = (
        cnn_train("evaluate", path, "--json").document for path in (checkpoint, "again.ckpt")
    )
    assert before | {"checkpoint": None} == after | {"checkpoint": None}


@pytest.mark.parametrize("command", ["export-weights", "import", "slim"])
def test_an_existing_file_is_replaced_only_by_force(
    cnn_train: Run, tmp_path: Path, tiny_config: Path, foreign: Path, command: str
) -> None:
    arguments = {
        "export-weights": (VERSION_1,),
        "slim": (VERSION_1,),
        "import": (foreign, "--config", tiny_config, *COLOURS),
    }[command]
    (tmp_path / "out").write_text("precious")
    ended = cnn_train("checkpoint", command, *arguments, "--out", "out")
    assert ended.exit_code == 2
    assert "--out out: exists" in ended.stderr
    assert (tmp_path / "out").read_text() == "precious"
    assert cnn_train("checkpoint", command, *arguments, "--out", "out", "--force").exit_code == 0
    assert (tmp_path / "out").stat().st_size > 1000


def test_import_shows_the_mapping_and_its_checkpoint_evaluates(
    cnn_train: Run, tiny_config: Path, foreign: Path
) -> None:
    arguments = ("checkpoint", "import", foreign, "--config", tiny_config, *COLOURS)
    shown = cnn_train(*arguments)
    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[1].split() == [
        "1.weight", "fc.weight", "10×768", "order", "and", "shape",
    ]  # fmt: skip
    assert "a PyTorch training checkpoint with a state dict under 'net'" in shown.stderr
    document = cnn_train(*arguments, "--json", "--force").document
    assert document["mapping"][1] == {
        "theirs": "1.bias", "ours": "fc.bias", "shape": [10], "by": "order and shape",
    }  # fmt: skip
    assert document["normalization"] == {"mean": [0.5] * 3, "std": [0.25] * 3}
    measured = cnn_train("evaluate", "model.ckpt", "--json")
    assert measured.document["num_examples"] == 20
    assert "no run to go on with" in cnn_train("checkpoint", "show", "model.ckpt").stdout


def write_scores(foreign: Path, *, deviation: float) -> None:
    """Compute scores of drawn images as the other program would, and write them beside it."""
    state = torch.load(foreign)["net"]
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    inputs = ((images / 255 - 0.5) / deviation).transpose(0, 3, 1, 2).reshape(5, -1)
    weight, bias = (value.double().numpy() for value in state.values())
    np.savez("scores.npz", images=images, scores=inputs @ weight.T + bias)


def test_scores_of_the_other_program_prove_an_import_or_end_it(
    cnn_train: Run, tiny_config: Path, foreign: Path
) -> None:
    arguments = ("checkpoint", "import", foreign, "--config", tiny_config, *COLOURS)
    verified = (*arguments, "--verify", "scores.npz")
    missing = cnn_train(*verified)
    assert (missing.exit_code, Path("model.ckpt").exists()) == (3, False)
    write_scores(foreign, deviation=0.2)
    other = cnn_train(*verified)
    assert (other.exit_code, Path("model.ckpt").exists()) == (4, False)
    assert "error: scores.npz: the imported network gives other scores" in other.stderr
    write_scores(foreign, deviation=0.25)
    same = cnn_train(*verified, "--json")
    assert same.exit_code == 0
    assert same.document["verified"]["num_images"] == same.document["verified"]["same_class"] == 5
    assert "the same scores for 5 images" in same.stderr
    assert "does not say" not in same.stderr


def test_import_says_what_it_had_to_assume(
    cnn_train: Run, tiny_config: Path, foreign: Path, checkpoint: Path
) -> None:
    shown = cnn_train("checkpoint", "import", foreign, "--config", tiny_config, *COLOURS)
    for expected in (
        "mean 0.5000 0.5000 0.5000, std 0.2500 0.2500 0.2500, --mean and --std\n",
        "warning: a state dict does not say strides, pooling, activations, the order of",
        "--verify",
    ):
        assert expected in shown.stderr
    cnn_train("checkpoint", "export-weights", checkpoint, "--out", "x.safetensors")
    ours = cnn_train("checkpoint", "import", "x.safetensors", "--force")
    assert "stored in the file" in ours.stderr
    assert "does not say" not in ours.stderr


def test_loading_a_foreign_file_gives_a_command_that_works(
    cnn_train: Run, tiny_config: Path, foreign: Path
) -> None:
    refused = cnn_train("evaluate", foreign)
    assert refused.exit_code == 4
    command = refused.stderr.strip().rpartition("cnn-train ")[2]
    assert command == f"checkpoint import {foreign} --config CONFIG"
    words = command.replace("CONFIG", str(tiny_config)).split()
    assert cnn_train(*words, *COLOURS).exit_code == 0


def test_classes_can_be_named_and_must_be_as_many_as_the_scores(
    cnn_train: Run, tiny_config: Path, foreign: Path
) -> None:
    arguments = ("checkpoint", "import", foreign, "--config", tiny_config, *COLOURS, "--classes")
    ended = cnn_train(*arguments, "cat,dog")
    assert ended.exit_code == 4
    assert "it tells apart 10 classes, not 2; add " in ended.stderr
    assert not Path("model.ckpt").exists()
    assert cnn_train(*arguments, "a,b,c,d,e,f,g,h,i, j").exit_code == 0
    assert load_checkpoint(Path("model.ckpt")).class_names == list("abcdefghij")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--classes", "cat,,dog"), "--classes cat,,dog: names separated"),
        (("--classes", "cat,cat"), "--classes cat,cat: names separated"),
        (("--mean", "0.5"), "--mean and --std: give both or neither"),
        (("--mean", "125,123,114", "--std", "1,1,1"), "--mean 125,123,114: numbers from 0 to 1"),
        (("--mean", "a", "--std", "1"), "--mean 'a': 'a' is not a number"),
        (("--mean", "0,5 0,5", "--std", "1"), "--mean '0,5 0,5': 0,5 may be one number or two"),
        (("--mean", "nan", "--std", "1"), "--mean 'nan': 'nan' is not finite"),
        (("--mean", "0.5", "--std", "0"), "--std 0: deviations are above 0"),
        (("--mean", "0.5", "--std", "0.5"), "--mean and --std: 3 numbers each"),
        ((), "--mean and --std are needed: a shapes dataset has no usual ones"),
        (("--set", "epochs=none"), "epochs"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_exit_code_2_in_one_line(
    cnn_train: Run, tiny_config: Path, foreign: Path, arguments: tuple[str, ...], expected: str
) -> None:
    ended = cnn_train("checkpoint", "import", foreign, "--config", tiny_config, *arguments)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert expected in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_settings_without_a_config_are_refused(cnn_train: Run, foreign: Path) -> None:
    ended = cnn_train("checkpoint", "import", foreign, "--set", "epochs=1")
    assert ended.exit_code == 2
    assert "--set: needs --config" in ended.stderr


@pytest.mark.parametrize("command", ["show", "verify", "export-weights", "import"])
def test_no_command_runs_what_a_file_carries_or_shows_a_traceback(
    cnn_train: Run, tmp_path: Path, command: str
) -> None:
    class Malicious:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "executed",)

    torch.save({"state_dict": Malicious()}, tmp_path / "evil.pth")
    out = ("--out", "out") if command == "export-weights" else ()
    ended = cnn_train("checkpoint", command, "evil.pth", *out)
    assert ended.exit_code == 4
    assert ended.stderr.startswith("error: evil.pth: ")
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "executed").exists()
