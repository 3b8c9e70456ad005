"""``cnn-train export`` and what its .onnx file is good for afterwards, alone."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from cnn_train import load_model, predict
from cnn_train.checkpoints.checkpoint import open_checkpoint, save_checkpoint
from cnn_train.data.dataset import DataAccess
from cnn_train.data.splits import load_training_splits
from cnn_train.errors import UsageError
from cnn_train.experiment import ExperimentConfig
from cnn_train.inference.export import OPSET
from cnn_train.inference.exported_model import seal
from cnn_train.machine.device import resolve_device
from cnn_train.training.building import build_session

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of an untrained linear classifier of tiny drawn shapes."""
    shapes = {"name": "shapes", "num_train": 220, "num_test": 40, "image_size": 16}
    shapes |= {"val_fraction": 0.4}
    config = ExperimentConfig.model_validate(
        {"data": shapes, "model": {"name": "linear"}, "precision": "float32"}
    )
    folder = tmp_path_factory.mktemp("model")
    train, val = load_training_splits(config.data, DataAccess(folder, offline=True))
    path = folder / "model.ckpt"
    save_checkpoint(build_session(config, train, val, resolve_device("cpu")).checkpoint(), path)
    return path


@pytest.fixture(scope="module")
def exported(checkpoint: Path) -> Path:
    """The same model as an .onnx file, made once by the command itself."""
    from cnn_train.cli.main import main

    out = checkpoint.with_suffix(".onnx")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["cnn-train", "export", str(checkpoint), "--out", str(out)])
        with pytest.raises(SystemExit) as end:
            main()
    assert not end.value.code
    return out


def test_export_says_what_was_proven_and_by_which_images(
    cnn_train: Run, checkpoint: Path, tmp_path: Path
) -> None:
    command = ("export", checkpoint, "--format", "safetensors", "--out", "x.safetensors")
    shown = cnn_train(*command, "--num-images", 70)
    assert shown.exit_code == 0
    assert "proven by   checkpoint import: 70 validation images, 1, 7, 64 at a time" in shown.stdout
    assert "same class  70 of 70 images" in shown.stdout
    again = cnn_train(*command, "--num-images", 10, "--json")
    assert (again.exit_code, again.document["error"]["kind"]) == (2, "usage")
    document = cnn_train(*command, "--num-images", 10, "--json", "--force").document
    assert document["scored"] == "10 validation images and 54 generated images"
    assert [one["same_class"] for one in document["agreement"]] == [64, 64, 64]
    assert document["checkpoint_sha256"] == open_checkpoint(checkpoint).digest


def test_where_there_are_no_validation_images_generated_ones_are_scored(
    cnn_train: Run, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnn_train.data.shapes.dataset import ShapesConfig
    from cnn_train.errors import DataError

    def lost(self: ShapesConfig, access: DataAccess) -> None:
        raise DataError("shapes: gone")

    monkeypatch.setattr(ShapesConfig, "load_train", lost)
    ended = cnn_train("export", checkpoint, "--format", "torch-export", "--out", "x.pt2", "--json")
    assert ended.exit_code == 0
    assert ended.document["scored"] == "64 generated images"
    assert "no validation images: shapes: gone" in ended.stderr
    told = cnn_train("checkpoint", "import", "x.pt2", "--out", "y.ckpt")
    assert told.exit_code == 4
    assert "looks like a torch.export file; take the checkpoint" in told.stderr


def test_an_exporter_that_spoils_the_network_is_caught(
    cnn_train: Run, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As torch's exporter once did: a network that computes something else, without a warning."""
    honest = torch.onnx.export

    class Spoiled(nn.Module):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.network(images).roll(1, dims=1)

    def export(network: nn.Module, *rest: Any, **how: Any) -> Any:
        return honest(Spoiled(network).eval(), *rest, **how)

    monkeypatch.setattr(torch.onnx, "export", export)
    ended = cnn_train("export", checkpoint, "--out", "x.onnx")
    assert (ended.exit_code, ended.stdout) == (4, "")
    assert "error: x.onnx: not written: onnxruntime gives other scores" in ended.stderr
    assert "the best class is the same for 0 of " in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_evaluated_as_its_checkpoint_is(
    cnn_train: Run, checkpoint: Path, exported: Path
) -> None:
    for options in ((), ("--split", "val", "--tta", "flip_translate")):
        ours = cnn_train("evaluate", checkpoint, "--json", *options)
        theirs = cnn_train("evaluate", exported, "--json", *options)
        assert (ours.exit_code, theirs.exit_code) == (0, 0)
        for key in ("split", "num_examples", "accuracy", "top5_accuracy", "confusion"):
            assert theirs.document[key] == ours.document[key], key
        assert theirs.document["loss"] == pytest.approx(ours.document["loss"], rel=1e-5)
    assert "on cpu (onnxruntime), float32" in theirs.stderr
    assert "which images the weights were trained on is not known" in theirs.stderr
    assert "not those of the model's training run" not in theirs.stderr


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six photos of other sizes and two of the network's own."""
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    for i, (height, width) in enumerate([(16, 16)] * 2 + [(40, 90), (71, 33), (16, 17)] * 2):
        pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


def test_the_file_predicts_as_its_checkpoint_does(
    cnn_train: Run, checkpoint: Path, exported: Path, photos: Path
) -> None:
    ours, theirs = (
        cnn_train("predict", photos, "--checkpoint", path, "--json").document["predictions"]
        for path in (checkpoint, exported)
    )
    assert [one["label"] for one in theirs] == [one["label"] for one in ours]
    assert [one["score"] for one in theirs] == pytest.approx([one["score"] for one in ours])
    labels = predict(load_model(exported), [photos / Path(one["path"]).name for one in ours])
    assert labels == [one["label"] for one in ours]


NO_JSON = ("cnn_train", "sha256")


def test_the_graph_has_two_named_ends_a_stated_opset_and_no_path_of_this_machine(
    exported: Path,
) -> None:
    model = onnx.load(exported)
    assert [(one.domain, one.version) for one in model.opset_import] == [("", OPSET)]
    (images,), (scores,) = model.graph.input, model.graph.output
    assert (images.name, scores.name) == ("images", "scores")
    shape = images.type.tensor_type.shape.dim
    assert images.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert (shape[0].dim_param, *(one.dim_value for one in shape[1:])) == ("batch", 3, 16, 16)
    content = exported.read_bytes()
    assert b"stack_trace" not in content
    assert str(Path(__file__).parents[2]).encode() not in content


def test_the_metadata_say_all_that_a_program_needs(checkpoint: Path, exported: Path) -> None:
    texts = {one.key: one.value for one in onnx.load(exported).metadata_props}
    about = {key: json.loads(text) for key, text in texts.items() if key not in NO_JSON}
    stored = open_checkpoint(checkpoint)
    assert about["class_names"] == stored.checkpoint.class_names
    assert about["image_shape"] == [3, 16, 16]
    assert about["config"] == stored.checkpoint.config
    assert about["normalization"] == stored.checkpoint.normalization
    assert about["checkpoint_sha256"] == stored.digest
    assert seal(exported.read_bytes()[: -len(seal(b""))]) == exported.read_bytes()
    assert texts["sha256"].encode() == exported.read_bytes()[-64:]
    assert about["reading"] == {
        "size_px": 16, "fit": "crop", "grey_bits": None, "resampling": "bicubic, antialiased",
    }  # fmt: skip


def test_inspect_shows_the_numbers_behind_the_normalisation_in_the_graph(
    cnn_train: Run, checkpoint: Path, exported: Path, photos: Path
) -> None:
    ours, theirs = (
        cnn_train("inspect", photos / "2.png", "--checkpoint", path).stdout
        for path in (checkpoint, exported)
    )
    assert theirs == ours


@pytest.mark.parametrize(
    "command",
    [
        ("visualize", "filters"), ("evaluate", "--slices"), ("checkpoint", "show"),
        ("export", "--out", "y.onnx"), ("fit", "--config", "quickstart", "--weights"),
        ("checkpoint", "import"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_needs_weights_or_layers_asks_for_the_checkpoint_in_one_line(
    cnn_train: Run, exported: Path, command: tuple[str, ...]
) -> None:
    ended = cnn_train(*command, exported)
    assert ended.exit_code == (2 if command[0] in ("visualize", "evaluate") else 4)
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert "the checkpoint that it was exported from" in line


def test_the_model_of_the_file_is_not_saved_without_its_weights(
    exported: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="load the checkpoint that it was exported from"):
        load_model(exported).save(tmp_path / "x.ckpt")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("nowhere/x.onnx", "nowhere/x.onnx: there is no directory nowhere; create it first"),
        ("x.onnx", "x.onnx: is a directory; name a file in it"),
    ],
)
def test_where_no_file_can_be_written_nothing_is_scored_first(
    cnn_train: Run, checkpoint: Path, tmp_path: Path, out: str, message: str
) -> None:
    (tmp_path / "x.onnx").mkdir()
    ended = cnn_train("export", checkpoint, "--out", out, "--force")
    assert (ended.exit_code, ended.stderr) == (2, f"error: {message}\n")


def foreign(content: bytes) -> bytes:
    model = onnx.load_model_from_string(content)
    del model.metadata_props[:]
    return bytes(model.SerializeToString())


def with_a_weight_changed(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[len(content) // 3] ^= 1
    return bytes(changed)


NOT_OURS = "no ONNX file that `cnn-train export` wrote, or cut short"
CHANGED = "damaged, or changed since `cnn-train export` wrote it"

DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda content: b"", NOT_OURS),
    "text": (lambda content: b"hello", NOT_OURS),
    "cut short": (lambda content: content[:-5000], NOT_OURS),
    "foreign": (foreign, NOT_OURS),
    "one bit": (with_a_weight_changed, CHANGED),
    "one entry": (lambda content: content.replace(b'"arrow"', b'"heart"'), CHANGED),
    "no graph": (lambda content: seal(b"\x08\x0a\x12\x01x"), "onnxruntime cannot use it"),
    "no metadata": (lambda content: seal(foreign(content)), "its metadata are damaged"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_or_foreign_file_is_refused_in_one_line(
    cnn_train: Run, exported: Path, tmp_path: Path, kind: str
) -> None:
    damage, reason = DAMAGE[kind]
    (tmp_path / "x.onnx").write_bytes(damage(exported.read_bytes()))
    ended = cnn_train("evaluate", "x.onnx")
    assert (ended.exit_code, ended.stdout) == (4, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"error: x.onnx: {reason}")


def test_a_file_that_is_missing_and_a_device_that_onnxruntime_lacks_are_named(
    cnn_train: Run, exported: Path
) -> None:
    ended = cnn_train("evaluate", "no.onnx")
    assert (ended.exit_code, ended.stderr) == (4, "error: no.onnx: no such checkpoint\n")
    ended = cnn_train("evaluate", exported, "--device", "cuda")
    assert (ended.exit_code, ended.stderr) == (
        2, "error: --device cuda: .onnx files are computed on the CPU; leave it out\n",
    )  # fmt: skip


def snippet(language: str) -> str:
    page = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text("utf-8")
    (code,) = re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return code


def answers(cnn_train: Run, model: Path, images: list[Path]) -> list[str]:
    document = cnn_train("predict", *images, "--checkpoint", model, "--json").document
    return [one["label"] for one in document["predictions"]]


def test_the_python_of_the_page_answers_as_predict_does_for_images_of_any_size(
    cnn_train: Run, exported: Path, photos: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    images = sorted(photos.iterdir())
    expected = answers(cnn_train, exported, images)
    assert len(set(expected)) > 1
    for image in images:
        monkeypatch.setattr(sys, "argv", ["classify.py", str(exported), str(image)])
        exec(snippet("python"), {})
    assert capsys.readouterr().out.split() == expected


def test_the_javascript_of_the_page_answers_as_predict_does_for_images_of_its_size(
    cnn_train: Run, exported: Path, photos: Path, tmp_path: Path
) -> None:
    """Its packages are found where Node looks for them, NODE_PATH included."""
    node = shutil.which("node")
    has = "require.resolve('onnxruntime-node'); require.resolve('sharp')"
    if node is None or subprocess.run([node, "-e", has], capture_output=True).returncode:
        pytest.skip("needs node with the packages onnxruntime-node and sharp")
    (tmp_path / "classify.cjs").write_text(snippet("javascript"))
    images = [photos / "0.png", photos / "1.png"]
    found = [
        subprocess.run(
            [node, "classify.cjs", exported, image],
            cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=True,
        ).stdout.strip()
        for image in images
    ]  # fmt: skip
    assert found == answers(cnn_train, exported, images)


def test_the_file_has_a_report_without_the_course_of_its_training(
    cnn_train: Run, exported: Path
) -> None:
    assert cnn_train("report", exported, "--out", "report.html").exit_code == 0
    html = Path("report.html").read_text("utf-8")
    assert "<h2>Confusion</h2>" in html and "<h2>Learning curves</h2>" not in html
