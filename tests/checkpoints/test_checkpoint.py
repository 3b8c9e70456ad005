import os
import pickle
import struct
from contextlib import suppress
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torture_campaign.hostile.sealing import sealed, torch_zip

from cnn_train.checkpoints.checkpoint import (
    FOOTER_SIZE,
    FORMAT_VERSION,
    MAGIC,
    Checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from cnn_train.data.selection import NO_LOSS_21
from cnn_train.errors import CheckpointError, CnnTrainError
from cnn_train.inference.trained_model import load_trained_model
from cnn_train.metrics.best import RECORD_KEYS

NUM_FLIPS = 1000
NUM_TRUNCATIONS = 300
VERSION_1 = Path(__file__).parents[1] / "checkpoints" / "version_1.ckpt"


@pytest.fixture
def checkpoint() -> Checkpoint:
    weight = torch.nn.Parameter(torch.randn(3, 4, generator=torch.Generator().manual_seed(0)))
    optimizer = torch.optim.SGD([{"params": [weight], "initial_lr": 0.1}], lr=0.1, momentum=0.9)
    weight.sum().backward()
    optimizer.step()
    return Checkpoint(
        config={"epochs": 3, "optimizer": {"lr": 0.1, "betas": [0.9, 0.999]}, "note": None},
        class_names=["Hund", "кошка", "猫"],
        image_shape=[3, 8, 8],
        normalization={"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]},
        data_fingerprints={"train": "ab", "val": "cd"},
        model={"weight": weight.detach()},
        averaged_model=None,
        optimizer=optimizer.state_dict(),
        generators={"cpu": torch.get_rng_state(), "cuda": [], "mps": None},
        epoch=1,
        position=2,
        step=12,
        partial_tally={
            "loss_sum": torch.tensor(1.5),
            "penalty_sum": torch.tensor(0.5),
            "num_correct": torch.tensor(7),
            "num_examples": 20,
        },
        records=[dict.fromkeys(RECORD_KEYS, 0.5) | {"epoch": 0, "val_accuracy": 0.1 + 0.2}],
        limit_batches=None,
        precision="float32",
        environment={"torch": "2.10"},
        config_changes=[{"step": 4, "key": "optimizer.lr", "before": 0.1, "after": 0.05}],
        training_images=torch.tensor([-(2**63), 7]),
    )


@pytest.fixture
def path(tmp_path: Path, checkpoint: Checkpoint) -> Path:
    path = tmp_path / "last.ckpt"
    save_checkpoint(checkpoint, path)
    return path


def refusal(path: Path) -> str:
    """Return the one line with which ``path`` is refused."""
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def assert_same(found: Any, expected: Any) -> None:
    if isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key, value in expected.items():
            assert_same(found[key], value)
    else:
        assert found == expected
        assert type(found) is type(expected)


def test_what_was_saved_is_what_is_loaded(path: Path, checkpoint: Checkpoint) -> None:
    loaded = load_checkpoint(path)
    for field in fields(Checkpoint):
        assert_same(getattr(loaded, field.name), getattr(checkpoint, field.name))


def test_the_losses_of_a_million_images_are_not_too_many(
    path: Path, checkpoint: Checkpoint
) -> None:
    losses_2N = NO_LOSS_21.repeat(1, 1_000_000)
    save_checkpoint(replace(checkpoint, image_losses=losses_2N), path)
    assert torch.equal(load_checkpoint(path).image_losses, losses_2N)


def test_its_validation_accuracy_is_the_last_epochs(path: Path, checkpoint: Checkpoint) -> None:
    assert load_checkpoint(path).val_accuracy == 0.1 + 0.2
    checkpoint.records.clear()
    assert checkpoint.val_accuracy is None


def test_every_one_of_1000_flipped_bits_is_noticed(path: Path) -> None:
    content = path.read_bytes()
    num_bits = 8 * len(content)
    for bit in (round(i * (num_bits - 1) / (NUM_FLIPS - 1)) for i in range(NUM_FLIPS)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        is_in_body = bit < num_bits - 8 * FOOTER_SIZE
        assert ("damaged (checksum mismatch)" in refusal(path)) or not is_in_body
    path.write_bytes(content)
    load_checkpoint(path)


def test_truncations_at_300_lengths_and_at_each_of_the_footer_are_noticed(path: Path) -> None:
    content = path.read_bytes()
    lengths = {i * len(content) // NUM_TRUNCATIONS for i in range(NUM_TRUNCATIONS)}
    for length in lengths | set(range(len(content) - FOOTER_SIZE - 2, len(content))):
        path.write_bytes(content[:length])
        message = refusal(path)
        assert "not a cnn-train checkpoint, or cut short" in message
        assert "checkpoint import" not in message  # that would be bad advice


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=2000), is_sealed=st.booleans())
@example(content=b"", is_sealed=False)
@example(content=b"", is_sealed=True)
@example(content=bytes(4096), is_sealed=False)
@example(content=b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4096, is_sealed=False)
@example(content=b"<!DOCTYPE html><html><body>Log in</body></html>", is_sealed=False)
@example(content=b"model: {name: vgg16}\n", is_sealed=False)
@example(content=MAGIC, is_sealed=False)
@example(content=b"\x80\x02.", is_sealed=True)
@example(content=b"hello\nworld", is_sealed=True)
@example(content=pickle.dumps(1), is_sealed=True)
@example(content=b"PK\x05\x06" + bytes(18), is_sealed=True)
def test_random_bytes_are_refused_in_one_line(
    tmp_path: Path, content: bytes, is_sealed: bool
) -> None:
    path = tmp_path / "random.ckpt"
    path.write_bytes(sealed(content) if is_sealed else content)
    assert is_sealed or "not a cnn-train checkpoint" in refusal(path)
    refusal(path)


@settings(deadline=None)
@given(changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_mutated_file_that_is_sealed_again_is_used_or_refused_as_a_users_error(
    changes: list[tuple[float, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An attacker can compute a digest too; the network that the file describes is built."""
    mutated = bytearray(VERSION_1.read_bytes()[:-FOOTER_SIZE])
    for place, value in changes:
        mutated[round(place * (len(mutated) - 1))] = value
    path = tmp_path_factory.getbasetemp() / "mutated.ckpt"
    path.write_bytes(sealed(bytes(mutated), version=1))
    with suppress(CnnTrainError):  # and nothing but these
        assert load_trained_model(path, "cpu").class_names


@pytest.mark.parametrize("more", [bytes(100), VERSION_1.read_bytes()[:-1]], ids=["zeros", "again"])
def test_a_checkpoint_with_bytes_after_its_end_is_refused(path: Path, more: bytes) -> None:
    path.write_bytes(path.read_bytes() + more)
    assert "not a cnn-train checkpoint" in refusal(path)


def test_a_missing_file_and_a_directory_are_named(tmp_path: Path) -> None:
    assert "no such checkpoint" in refusal(tmp_path / "absent.ckpt")
    assert "a directory, not a cnn-train checkpoint" in refusal(tmp_path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named_with_the_cause(path: Path) -> None:
    path.chmod(0)
    assert "cannot read (Permission denied)" in refusal(path)


class Malicious:
    """Unpickling this object creates the file ``trace``."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("serialise", [pickle.dumps, torch_zip], ids=["bare pickle", "torch zip"])
def test_code_in_a_file_is_refused_and_never_run_with_and_without_a_footer(
    tmp_path: Path, serialise: Any
) -> None:
    path, trace = tmp_path / "evil.ckpt", tmp_path / "executed"
    path.write_bytes(sealed(serialise({"model": Malicious(trace)})))
    assert "holds more than plain data" in refusal(path)
    path.write_bytes(serialise({"model": Malicious(trace)}))
    assert "checkpoint import" not in refusal(path)
    assert not trace.exists()
    pickle.loads(pickle.dumps(Malicious(trace)))
    assert trace.exists()  # so the object is as malicious as it claims


def test_one_odd_global_among_good_fields_is_refused(path: Path, checkpoint: Checkpoint) -> None:
    state = {field.name: getattr(checkpoint, field.name) for field in fields(Checkpoint)}
    path.write_bytes(sealed(torch_zip({**state, "epoch": Fraction(1, 2)})))
    assert "holds more than plain data" in refusal(path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"step": "absent"}, {"more": 2}, {"epoch": "1"}, {"class_names": []},
        {"model": [1, 2]}, {"model": {"weight": 1}},
        {"image_shape": [3, 8]}, {"image_shape": [3, 8, -8]},
        {"records": [{"a": "b"}]}, {"records": [{"epoch": 0}]},
        {"image_losses": torch.ones(3)}, {"image_losses": torch.ones(3, 4)},
        {"image_losses": torch.ones(2, 4).double()}, {"image_losses": torch.tensor(1.0)},
        {"image_losses": torch.tensor([[0.0, float("nan")]] * 2)}, {"image_losses": [1.0]},
        {"normalization": {"mean": [0.1]}}, {"normalization": {"mean": [0.1], "std": [0.1]}},
    ],
    ids=str,
)  # fmt: skip
def test_missing_unknown_and_wrong_fields_in_a_well_sealed_file_are_refused(
    path: Path, checkpoint: Checkpoint, wrong: dict[str, Any]
) -> None:
    state = {field.name: getattr(checkpoint, field.name) for field in fields(Checkpoint)} | wrong
    path.write_bytes(sealed(torch_zip({k: v for k, v in state.items() if v != "absent"})))
    assert "not those of a cnn-train checkpoint" in refusal(path)


@pytest.mark.parametrize("other", [[1, 2], torch.zeros(2), {"net": {}, "acc": 1.0, "epoch": 3}])
def test_other_data_in_a_well_sealed_file_is_refused(path: Path, other: Any) -> None:
    path.write_bytes(sealed(torch_zip(other)))
    assert "not those of a cnn-train checkpoint" in refusal(path)


def test_a_newer_format_asks_for_a_newer_cnn_train(path: Path) -> None:
    content = path.read_bytes()[:-FOOTER_SIZE]
    path.write_bytes(sealed(content, version=FORMAT_VERSION + 1))
    message = refusal(path)
    assert f"format {FORMAT_VERSION + 1}" in message
    assert "upgrade cnn-train" in message


@pytest.mark.parametrize("version", [0, 2**63])
def test_a_forged_version_is_damage_unless_its_digest_is_forged_too(
    path: Path, version: int
) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-40] + struct.pack(">Q", version) + content[-32:])
    assert "damaged (checksum mismatch)" in refusal(path)
    path.write_bytes(sealed(content[:-FOOTER_SIZE], version=version))
    refusal(path)


def test_a_lack_of_memory_is_not_called_a_fault_of_the_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")

    monkeypatch.setattr(torch, "load", refuse)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        load_checkpoint(path)


def test_plain_torch_load_opens_a_checkpoint_too(path: Path, checkpoint: Checkpoint) -> None:
    state = torch.load(path, weights_only=True)
    assert torch.equal(state["model"]["weight"], checkpoint.model["weight"])
