"""A slim checkpoint computes what the whole one does, in less room, and is no run to go on with."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cnn_train.checkpoints.checkpoint import Checkpoint, open_checkpoint, save_checkpoint
from cnn_train.checkpoints.slimming import slim
from cnn_train.errors import CheckpointError
from cnn_train.inference.trained_model import restore_trained_model
from cnn_train.machine.device import resolve_device
from cnn_train.runs.directory import RunDirectory
from cnn_train.training.resuming import find_state
from cnn_train.training.session import Session

VERSION_1 = Path(__file__).parent / "version_1.ckpt"


@pytest.fixture
def whole(start: Callable[..., Session]) -> Checkpoint:
    """Return the checkpoint after some updates of a network with batch norm, and an average."""
    session = start(
        model={"name": "resnet20", "width": 4},
        optimizer={"name": "sgd", "momentum": 0.9},
        ema_decay=0.5,
    )
    for _ in session.train_rest_of_epoch():
        pass
    return replace(session.checkpoint(), image_losses=torch.zeros(2, 32))


def written(checkpoint: Checkpoint, path: Path, precision: str) -> Checkpoint:
    """Make it slim, write it, and read it again."""
    config = restore_trained_model(checkpoint, resolve_device("cpu"), "whole").config
    save_checkpoint(slim(checkpoint, config, "best.ckpt", precision), path)  # type: ignore[arg-type]
    file = open_checkpoint(path)
    assert file.weights_precision == precision
    return file.checkpoint


def scores(checkpoint: Checkpoint) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (20, 3, 8, 8), generator=generator, dtype=torch.uint8)
    return restore_trained_model(checkpoint, resolve_device("cpu"), "it").scores(images)


def test_in_float32_the_scores_are_those_of_the_whole_one_to_the_bit(
    whole: Checkpoint, tmp_path: Path
) -> None:
    less = written(whole, tmp_path / "slim.ckpt", "float32")
    assert torch.equal(scores(less), scores(whole))
    assert not torch.equal(scores(less), scores(replace(whole, averaged_model=None)))
    for name in ("training_images", "normalization", "data_fingerprints", "config", "records"):
        assert str(getattr(less, name)) == str(getattr(whole, name)), name


def test_in_float16_matrices_are_rounded_as_torch_rounds_and_vectors_are_not(
    whole: Checkpoint, tmp_path: Path
) -> None:
    less = written(whole, tmp_path / "slim.ckpt", "float16")
    for name, value in whole.usable_weights.items():
        expected = value.half().float() if value.dim() > 1 else value
        assert torch.equal(less.model[name], expected), name
        assert less.model[name].dtype == value.dtype
    difference = (scores(less) - scores(whole)).abs().max()
    assert 0 < difference < 1e-2 * scores(whole).abs().max()


def test_what_only_a_resume_needs_is_gone_and_takes_no_room(
    whole: Checkpoint, tmp_path: Path
) -> None:
    save_checkpoint(whole, tmp_path / "whole.ckpt")
    less = {name: written(whole, tmp_path / name, name) for name in ("float32", "float16")}
    sizes = [(tmp_path / name).stat().st_size for name in ("float16", "float32", "whole.ckpt")]
    num_bytes = sum(value.nbytes for value in whole.model.values())
    assert sizes[2] - sizes[1] > 1.9 * num_bytes  # the plain weights, and their momenta
    assert sizes[1] - sizes[0] > 0.3 * num_bytes
    checkpoint = less["float32"]
    assert not checkpoint.optimizer and not checkpoint.generators and not checkpoint.partial_tally
    assert checkpoint.averaged_model is None and checkpoint.image_losses is None
    assert "platform" in whole.environment and "platform" not in checkpoint.environment


def test_a_slim_one_made_slim_again_is_the_same_and_so_is_one_of_an_older_format(
    whole: Checkpoint, tmp_path: Path
) -> None:
    for checkpoint in (whole, open_checkpoint(VERSION_1).checkpoint):
        once = written(checkpoint, tmp_path / "once.ckpt", "float16")
        written(once, tmp_path / "twice.ckpt", "float16")
        assert (tmp_path / "once.ckpt").read_bytes() == (tmp_path / "twice.ckpt").read_bytes()


def test_the_versions_of_the_layers_are_kept(whole: Checkpoint, tmp_path: Path) -> None:
    """Batch norm of version 1 had no counter: a state without versions is taken for one."""
    for precision in ("float32", "float16"):
        less = written(whole, tmp_path / precision, precision)
        assert less.model._metadata == whole.model._metadata  # type: ignore[attr-defined]


def test_a_weight_that_float16_cannot_hold_is_refused(whole: Checkpoint, tmp_path: Path) -> None:
    averaged = whole.averaged_model or {}
    name = next(name for name, value in averaged.items() if value.dim() > 1)
    averaged[name].view(-1)[0] = 70_000
    with pytest.raises(CheckpointError, match=f"{name} reaches 7e\\+04, .* up to 65,504; keep"):
        written(whole, tmp_path / "slim.ckpt", "float16")
    written(whole, tmp_path / "slim.ckpt", "float32")


def test_no_run_goes_on_from_it(whole: Checkpoint, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    for path in (run.last_checkpoint, tmp_path / "other.ckpt"):
        written(whole, path, "float32")
        with pytest.raises(CheckpointError) as refused:
            find_state(run, path)
        assert str(refused.value) == (
            f"{path}: cannot resume: it holds the weights of best.ckpt alone; start a new run from "
            "them: fit --config CONFIG --weights CHECKPOINT"
        )
