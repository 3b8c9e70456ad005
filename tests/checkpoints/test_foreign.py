import io
import warnings
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save as to_safetensors
from torch import Tensor
from torture_campaign.hostile.sealing import repacked, torch_zip

from cnn_train.checkpoints.checkpoint import load_checkpoint
from cnn_train.checkpoints.foreign import ForeignWeights
from cnn_train.checkpoints.foreign import load_weights as load_from
from cnn_train.errors import CheckpointError

WEIGHTS = {"conv.weight": torch.arange(6.0).view(2, 3), "conv.bias": torch.ones(2)}


def load_weights(path: Path, key: str | None = None) -> ForeignWeights:
    return load_from(path.read_bytes(), path, key)


def prefixed(prefix: str) -> dict[str, Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in WEIGHTS.items()}


# One file of each program, as it writes them, and what a user is told that it looks like.
FILES = {
    "bare state dict": (torch_zip(WEIGHTS), "a bare state dict"),
    "before torch 1.6": (
        torch_zip(WEIGHTS, _use_new_zipfile_serialization=False),
        "a bare state dict",
    ),
    "kuangliu": (
        torch_zip({"net": prefixed("module."), "acc": 95.1, "epoch": 199}),
        "a PyTorch training checkpoint with a state dict under 'net'",
    ),
    "timm": (
        torch_zip(
            {"epoch": 3, "arch": "resnet18", "state_dict": WEIGHTS, "version": 2,
             "optimizer": {"state": {}, "param_groups": []}, "args": Namespace(lr=0.1)}
        ),
        "a PyTorch training checkpoint with a state dict under 'state_dict'",
    ),
    "torchvision reference": (
        torch_zip({"model": prefixed("_orig_mod.module."), "epoch": 9, "scaler": {}}),
        "a PyTorch training checkpoint with a state dict under 'model'",
    ),
    "Lightning": (
        torch_zip(
            {"pytorch-lightning_version": "2.5.0", "state_dict": prefixed("model."), "epoch": 3,
             "callbacks": {}, "optimizer_states": [], "hyper_parameters": {"lr": 0.1}}
        ),
        "a Lightning training checkpoint with a state dict under 'state_dict'",
    ),
    "numbers of NumPy": (
        torch_zip({"state_dict": WEIGHTS, "acc": np.float64(93.1), "e": np.int64(3),
                    "history": np.arange(3.0)}),
        "a PyTorch training checkpoint with a state dict under 'state_dict'",
    ),
    "averaged": (
        torch_zip({"n_averaged": torch.tensor(7), **prefixed("module.")}),
        "a bare state dict",
    ),
    "safetensors": (to_safetensors(WEIGHTS), "a safetensors file"),
}  # fmt: skip


@pytest.fixture
def write(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(content: bytes) -> Path:
        path = tmp_path / "my weights.pth"
        path.write_bytes(content)
        return path

    return write


Write = Callable[[bytes], Path]


def refusal(path: Path, load: Callable[[Path], object] = load_weights) -> str:
    with pytest.raises(CheckpointError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert "weights_only" not in message  # torch's advice to load unsafely is not passed on
    return message


@pytest.mark.parametrize(("content", "kind"), FILES.values(), ids=FILES)
def test_loading_a_foreign_file_as_a_checkpoint_says_what_it_is_and_how_to_import_it(
    write: Write, content: bytes, kind: str
) -> None:
    path = write(content)
    message = refusal(path, load_checkpoint)
    assert f"it looks like {kind}; " in message
    assert message.endswith(f"cnn-train checkpoint import '{path}' --config CONFIG")


@pytest.mark.parametrize(("content", "kind"), FILES.values(), ids=FILES)
def test_the_tensors_of_a_foreign_file_are_read_without_what_wraps_them(
    write: Write, content: bytes, kind: str
) -> None:
    found = load_weights(write(content))
    assert found.kind == kind
    assert found.is_ordered == (kind != "a safetensors file")
    assert set(found.tensors) == set(WEIGHTS)
    assert all(torch.equal(found.tensors[name], value) for name, value in WEIGHTS.items())


def test_a_prefix_that_only_some_names_have_is_part_of_those_names(write: Write) -> None:
    names = ["model.weight", "criterion.weight"]
    found = load_weights(write(torch_zip(dict.fromkeys(names, torch.ones(1)))))
    assert list(found.tensors) == names


def test_of_a_lightning_module_the_network_is_taken_and_its_losses_are_named(write: Write) -> None:
    state = {**prefixed("model."), "criterion.weight": torch.ones(2)}
    lightning = {"pytorch-lightning_version": "2.5.0", "state_dict": state}
    found = load_weights(write(torch_zip(lightning)))
    assert (set(found.tensors), found.left_out) == (set(WEIGHTS), ("criterion.weight",))


def test_no_code_of_numpy_runs_for_what_lies_beside_the_weights(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = torch_zip({"net": WEIGHTS, "acc": np.float64(93.1)})
    monkeypatch.setattr(np, "dtype", None)
    assert set(load_weights(write(content)).tensors) == set(WEIGHTS)


def torchscript(module: torch.nn.Module) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates it, users have such files
        torch.jit.save(torch.jit.script(module), buffer)
    return buffer.getvalue()


def test_a_file_that_was_packed_again_is_read(write: Write) -> None:
    noise = {"conv.weight": torch.rand(8, 3, 3, 3)}
    packed = repacked(torch_zip(noise))
    assert len(packed) < len(torch_zip(noise))
    assert torch.equal(load_weights(write(packed)).tensors["conv.weight"], noise["conv.weight"])


@pytest.mark.parametrize(
    ("content", "program"),
    [
        (torchscript(torch.nn.Linear(2, 2)), "a TorchScript file"),
        (repacked(torchscript(torch.nn.Linear(99, 99))), "a TorchScript file"),
        # ModelProto: ir_version 8, producer_name "pytorch" (onnx.proto: fields 1 and 2)
        (b"\x08\x08\x12\x07pytorch\x1a\x052.5.0", "an ONNX file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file"),
    ],
)
def test_files_of_other_kinds_are_called_what_they_are(
    write: Write, content: bytes, program: str
) -> None:
    for load in (load_weights, load_checkpoint):
        message = refusal(write(content), load)
        assert f"it looks like {program}" in message
        assert "save the network's state_dict() with torch.save" in message


def test_one_of_several_state_dicts_is_taken_only_by_name(write: Write) -> None:
    averaged = {name: tensor + 1 for name, tensor in WEIGHTS.items()}
    path = write(torch_zip({"state_dict": WEIGHTS, "state_dict_ema": averaged}))
    message = refusal(path)
    assert "several state dicts: state_dict, state_dict_ema; choose one with: " in message
    assert message.endswith(f"cnn-train checkpoint import '{path}' --config CONFIG --key NAME")
    assert refusal(path, load_checkpoint).endswith(" --config CONFIG --key NAME")
    found = load_weights(path, "state_dict_ema").tensors
    assert torch.equal(found["conv.bias"], averaged["conv.bias"])
    with pytest.raises(CheckpointError, match="without a state dict 'ema'; it has state_dict, "):
        load_weights(path, "ema")


def test_program_objects_are_named_and_never_loaded(write: Write) -> None:
    state = {"state_dict": WEIGHTS, "hyper_parameters": SimpleNamespace(lr=0.1)}
    for load in (load_weights, load_checkpoint):
        message = refusal(write(torch_zip(state)), load)
        assert "program objects (types.SimpleNamespace), which are never loaded" in message
        assert "save model.state_dict() alone" in message
    assert "program objects" in refusal(write(torch_zip(torch.nn.Linear(2, 2))))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "it is empty"),
        (b"hello", "checkpoints are written by"),
        (torch_zip([1, 2]), "a torch file with a list alone"),
        (torch_zip({"epoch": 3}), "a PyTorch training checkpoint without a state dict"),
        (torch_zip({}), "a PyTorch training checkpoint without a state dict"),
        (torch_zip(WEIGHTS)[:-100], "a torch file that is damaged"),
        (to_safetensors(WEIGHTS)[:-1], "a safetensors file that is damaged or cut short"),
        (to_safetensors({}), "a safetensors file without tensors"),
    ],
)
def test_a_file_without_weights_is_refused_with_what_it_looks_like(
    write: Write, content: bytes, expected: str
) -> None:
    message = refusal(write(content))
    assert "holds no weights to import; " in message
    assert expected in message
    assert "checkpoint import" not in refusal(write(content), load_checkpoint)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.sampled_from([content for content, _ in FILES.values()]),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.floats(0, 1),
)
def test_a_mutated_foreign_file_is_read_or_refused_in_one_line(
    write: Write, content: bytes, changes: list[tuple[float, int]], cut: float
) -> None:
    mutated = bytearray(content)
    for place, value in changes:
        mutated[round(place * (len(mutated) - 1))] = value
    path = write(bytes(mutated[: max(round(cut * len(mutated)), len(mutated) // 2)]))
    assert "\n" not in refusal_or_nothing(path)
    refusal(path, load_checkpoint)


def refusal_or_nothing(path: Path) -> str:
    """Return the refusal of ``path``, or nothing where its tensors could still be read."""
    try:
        assert load_weights(path).tensors
    except CheckpointError as refused:
        return str(refused)
    return ""
