"""Only a file that scores as the checkpoint does is written; broken exporters are refused."""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from thin_networks import THIN
from torch import Tensor, nn

from cnn_train.checkpoints.checkpoint import Checkpoint, CheckpointFile
from cnn_train.checkpoints.exporting import export_weights
from cnn_train.errors import CheckpointError, UsageError
from cnn_train.experiment import ExperimentConfig
from cnn_train.inference.export import (
    BATCH_SIZES,
    FORMATS,
    Exportable,
    Format,
    choose_format,
    export_model,
    generate_images,
)
from cnn_train.inference.exported_model import ExportedNetwork
from cnn_train.inference.trained_model import TrainedModel
from cnn_train.models import ARCHITECTURES

IMAGES_NCHW = generate_images((3, 32, 32), 64)

MakeModel = Callable[..., Exportable]


@pytest.fixture
def make_model() -> MakeModel:
    """Make a thin network of 5 classes with running statistics as if it had been trained."""

    def make(name: str, **settings: Any) -> Exportable:
        thin = THIN.get(ARCHITECTURES[name].__name__, {})
        config = ExperimentConfig.model_validate({"model": {"name": name, **thin, **settings}})
        torch.manual_seed(0)
        network = config.model.build(5, (3, 32, 32))
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(std=0.1)
                module.running_var.uniform_(0.5, 2)
        checkpoint = Checkpoint(
            config=config.model_dump(mode="json"),
            class_names=[f"class {k}" for k in range(5)],
            image_shape=[3, 32, 32],
            normalization={"mean": [0.5, 0.4, 0.45], "std": [0.25, 0.2, 0.3]},
            model=network.state_dict(),
            environment={},
            training_images=torch.tensor([0]),
        )
        return Exportable.of(CheckpointFile("x.ckpt", 1, 4, "0" * 64, checkpoint))

    return make


QUICK = {("fastnet", "torch-export"), ("hog_linear", "safetensors")}
EVERY = [
    pytest.param(*case, marks=[] if case in QUICK else pytest.mark.slow)
    for case in product(ARCHITECTURES, FORMATS)
]


@pytest.mark.parametrize(("name", "format_name"), EVERY)
def test_every_architecture_is_exported_and_scores_alike(
    make_model: MakeModel, tmp_path: Path, name: str, format_name: str
) -> None:
    if format_name == "onnx":
        pytest.importorskip("onnxscript")
        pytest.importorskip("onnxruntime")
    out = tmp_path / f"x{FORMATS[format_name].suffix}"
    found = export_model(make_model(name), choose_format(format_name, out), IMAGES_NCHW, out)
    assert tuple(found) == BATCH_SIZES
    assert all(one.same_class == one.num_images == 64 for one in found.values())
    assert all(one.largest_difference <= 3e-5 * one.largest_score for one in found.values())
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


@pytest.mark.parametrize("format_name", ["torch-export", "safetensors"])
def test_scores_are_compared_in_float32_where_the_processor_multiplies_bfloat16(
    make_model: MakeModel, tmp_path: Path, format_name: str, multiplies_bfloat16: None
) -> None:
    model, out = make_model("linear"), tmp_path / f"x{FORMATS[format_name].suffix}"
    for agreement in export_model(model, FORMATS[format_name], IMAGES_NCHW, out).values():
        assert agreement.largest_difference <= 3e-5 * agreement.largest_score


def flawed(model: Exportable, change: Callable[[Exportable], Exportable]) -> Format:
    """Return an exporter of weights that writes those of another network."""
    honest = FORMATS["safetensors"]
    return replace(honest, encode=lambda given: honest.encode(change(given)))


def with_weights(change: Callable[[str, Tensor], Tensor], model: Exportable) -> Exportable:
    weights = {name: change(name, value) for name, value in model.file.checkpoint.model.items()}
    checkpoint = replace(model.file.checkpoint, model=weights)
    return replace(model, file=replace(model.file, checkpoint=checkpoint))


def with_other_colours(model: Exportable) -> Exportable:
    normalization = {"mean": (0.49, 0.4, 0.45), "std": (0.25, 0.2, 0.3)}
    description = model.description.model_copy(update={"normalization": normalization})
    return replace(model, description=description)


FLAWS: dict[str, Callable[[Exportable], Exportable]] = {
    "classes in another order": partial(
        with_weights, lambda name, value: value.flip(0) if name == "fc.weight" else value
    ),
    "a mean of 0.49 in place of 0.5": with_other_colours,
    "not a number": partial(
        with_weights, lambda name, value: value * torch.nan if name == "fc.weight" else value
    ),
    "statistics of batch norm left out": partial(
        with_weights, lambda name, value: torch.ones_like(value) if "running_var" in name else value
    ),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_broken_export_is_refused_and_nothing_is_left_behind(
    make_model: MakeModel, tmp_path: Path, flaw: str
) -> None:
    model, out = make_model("fastnet"), tmp_path / "x.safetensors"
    with pytest.raises(CheckpointError, match=r"x\.safetensors: not written: ") as caught:
        export_model(model, flawed(model, FLAWS[flaw]), IMAGES_NCHW, out)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    out.write_bytes(b"precious")
    with pytest.raises(CheckpointError):
        export_model(model, flawed(model, FLAWS[flaw]), IMAGES_NCHW, out)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"precious"]


@pytest.mark.parametrize("size", BATCH_SIZES[1:])
def test_a_graph_that_is_wrong_for_one_number_of_images_is_refused(
    make_model: MakeModel, tmp_path: Path, size: int
) -> None:
    model, honest = make_model("linear"), FORMATS["safetensors"]

    def load(path: Path) -> TrainedModel:
        network = honest.load(path)

        def run(images_BCHW: Tensor) -> Tensor:
            scores_BK = network.scores(images_BCHW)
            return scores_BK.flip(1) if len(images_BCHW) == size else scores_BK

        return replace(network, model=ExportedNetwork(run), takes_levels=True)

    with pytest.raises(CheckpointError, match=rf"\({size} at a time\): they differ by up to"):
        export_model(model, replace(honest, load=load), IMAGES_NCHW, tmp_path / "x.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_what_the_exporter_cannot_do_is_one_line(make_model: MakeModel, tmp_path: Path) -> None:
    def fail(model: Exportable) -> bytes:
        raise NotImplementedError("no such\noperator")

    model, chosen = make_model("linear"), replace(FORMATS["onnx"], encode=fail)
    with pytest.raises(CheckpointError) as caught:
        export_model(model, chosen, IMAGES_NCHW, tmp_path / "x.onnx")
    assert str(caught.value) == (
        "linear cannot be exported as .onnx (NotImplementedError: no such\\noperator); "
        "choose another --format"
    )


def test_a_file_that_its_own_runtime_cannot_open_is_refused(
    make_model: MakeModel, tmp_path: Path
) -> None:
    model, out = make_model("linear"), tmp_path / "x.pt2"
    chosen = replace(FORMATS["torch-export"], encode=lambda model: b"no archive")
    with pytest.raises(
        CheckpointError, match=r"torch\.export\.load cannot use the new file"
    ) as caught:
        export_model(model, chosen, IMAGES_NCHW, out)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_without_finite_scores_is_not_exported(
    make_model: MakeModel, tmp_path: Path
) -> None:
    model = make_model("linear")
    model.trained.model.fc.weight.data.fill_(torch.nan)
    with pytest.raises(CheckpointError, match=r"x\.ckpt: returns NaN scores"):
        export_model(model, FORMATS["safetensors"], IMAGES_NCHW, tmp_path / "x.safetensors")


def test_the_exporter_may_run_out_of_memory(make_model: MakeModel, tmp_path: Path) -> None:
    def fail(model: Exportable) -> bytes:
        raise MemoryError

    model, chosen = make_model("linear"), replace(FORMATS["onnx"], encode=fail)
    with pytest.raises(MemoryError):
        export_model(model, chosen, IMAGES_NCHW, tmp_path / "x.onnx")


@pytest.mark.parametrize(
    ("name", "file", "reason"),
    [
        ("tflite", "x.onnx", "--format tflite: unknown; choose onnx, torch-export, safetensors"),
        ("onnx", "x.pt2", "--out x.pt2: with --format onnx, its name ends in .onnx"),
    ],
)
def test_a_format_and_a_file_name_must_fit(name: str, file: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        choose_format(name, Path(file))
    assert str(caught.value) == reason


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    with pytest.raises(UsageError, match=r"needs onnxscript, .*pip install 'cnn-train\[export\]'$"):
        choose_format("onnx", Path("x.onnx"))


def test_the_safetensors_file_is_that_of_export_weights(
    make_model: MakeModel, tmp_path: Path
) -> None:
    model, out = make_model("linear"), tmp_path / "x.safetensors"
    export_model(model, FORMATS["safetensors"], IMAGES_NCHW, out)
    export_weights(model.file.checkpoint, tmp_path / "y.safetensors", model.file.digest)
    with safe_open(out, "pt") as ours, safe_open(tmp_path / "y.safetensors", "pt") as theirs:
        assert ours.metadata() == theirs.metadata()
        assert ours.metadata()["checkpoint_sha256"] == f'"{model.file.digest}"'
        for name in (*ours.keys(), *theirs.keys()):
            assert torch.equal(ours.get_tensor(name), theirs.get_tensor(name))


def test_an_exporter_sees_the_plain_network_and_leaves_the_original_as_it_was(
    make_model: MakeModel,
) -> None:
    model = make_model("fastnet")
    before = {name: value.clone() for name, value in model.trained.model.state_dict().items()}
    network = model.network()
    assert not network.training
    assert all(value.is_contiguous() for value in network.state_dict().values())
    network.network.fc.weight.data.zero_()
    after = model.trained.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_generated_images_are_always_the_same_and_of_every_brightness() -> None:
    images_NCHW = generate_images((3, 16, 12), 10)
    assert images_NCHW.shape == (10, 3, 16, 12)
    assert images_NCHW.dtype == torch.uint8
    assert torch.equal(images_NCHW, generate_images((3, 16, 12), 10))
    assert (images_NCHW.min(), images_NCHW.max()) == (0, 255)
    steps_N = images_NCHW.float().diff(dim=3).abs().mean((1, 2, 3))
    assert steps_N[::2].min() > 3 * steps_N[1::2].max()  # noise, and patches
