import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from cnn_train.checkpoints.exporting import export_weights
from cnn_train.errors import ResourceError
from cnn_train.training.session import Session


def test_any_reader_of_safetensors_finds_float32_weights_and_what_they_mean(
    start: Callable[..., Session], tmp_path: Path
) -> None:
    checkpoint = start(model={"name": "resnet20", "width": 4}).checkpoint()
    path = tmp_path / "x.safetensors"
    export_weights(checkpoint, path)
    tensors = load_file(path)
    assert set(tensors) == set(checkpoint.model)
    for name, value in checkpoint.model.items():
        assert torch.equal(tensors[name], value)
        assert tensors[name].is_contiguous()
        assert tensors[name].dtype == (torch.float32 if value.is_floating_point() else value.dtype)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert metadata["format"] == "pt"
    assert json.loads(metadata["class_names"]) == ["class 0", "class 1", "class 2"]
    assert json.loads(metadata["normalization"]) == checkpoint.normalization
    assert json.loads(metadata["image_shape"]) == [3, 8, 8]
    assert json.loads(metadata["config"]) == checkpoint.config


def test_averaged_weights_are_exported_where_there_are_any(
    start: Callable[..., Session], tmp_path: Path
) -> None:
    checkpoint = start().checkpoint()
    averaged = {name: value + 1 for name, value in checkpoint.model.items()}
    export_weights(replace(checkpoint, averaged_model=averaged), tmp_path / "x.safetensors")
    for name, value in load_file(tmp_path / "x.safetensors").items():
        assert torch.equal(value, averaged[name])


def test_views_of_one_memory_and_half_precision_are_written_out(
    start: Callable[..., Session], tmp_path: Path
) -> None:
    """Safetensors refuse shared memory; two names of one tensor become two tensors."""
    shared = torch.arange(6.0, dtype=torch.float16)
    weights = {"a": shared, "b": shared, "c": shared.view(2, 3).T}
    checkpoint = replace(start().checkpoint(), model=weights)
    export_weights(checkpoint, tmp_path / "x.safetensors")
    for name, value in load_file(tmp_path / "x.safetensors").items():
        assert torch.equal(value, weights[name].float())


def test_a_folder_that_is_not_there_is_named(start: Callable[..., Session], tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="absent"):
        export_weights(start().checkpoint(), tmp_path / "absent" / "x.safetensors")
