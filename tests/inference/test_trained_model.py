from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cnn_train.checkpoints.checkpoint import save_checkpoint
from cnn_train.data.image_set import ImageSet
from cnn_train.errors import CheckpointError, UsageError
from cnn_train.inference.trained_model import (
    TrainedModel,
    load_trained_model,
    restore_trained_model,
)
from cnn_train.machine.device import Device
from cnn_train.training.fit import fit
from cnn_train.training.session import Session

NUM_IMAGES = 100

# Batch size changes the order in which a CPU adds float32 products, so equal bits cannot be had.
LARGEST_DIFFERENCE = 1e-4


@pytest.fixture
def session(start: Callable[..., Session]) -> Session:
    """A trained session with batch norm, dropout and averaged weights: all that eval mode turns."""
    model = {"name": "wide_resnet", "depth": 10, "width": 1, "dropout": 0.3}
    session = start(model=model, ema_decay=0.5)
    for _ in fit(session):
        pass
    return session


@pytest.fixture
def trained(session: Session, cpu: Device) -> TrainedModel:
    return restore_trained_model(session.checkpoint(), cpu, "the test's model")


@pytest.fixture
def pictures(make_images: Callable[..., ImageSet]) -> torch.Tensor:
    return make_images(NUM_IMAGES, seed=2).images_NCHW


def test_with_flips_a_mirrored_image_has_the_same_scores(
    trained: TrainedModel, pictures: torch.Tensor
) -> None:
    plain, mirrored = (trained.scores(x, tta="flip") for x in (pictures, pictures.flip(3)))
    torch.testing.assert_close(mirrored, plain, rtol=0, atol=LARGEST_DIFFERENCE)


@pytest.mark.parametrize("batch_size", [7, 100])
def test_views_for_a_quarter_change_the_least_confident_quarter_only(
    trained: TrainedModel, pictures: torch.Tensor, batch_size: int
) -> None:
    seen = 0

    def count(module: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        nonlocal seen
        seen += len(inputs[0])

    single, all_views = (trained.scores(pictures, tta=tta) for tta in ("none", "flip_translate"))
    with trained.model.register_forward_pre_hook(count):
        found = trained.scores(
            pictures, batch_size=batch_size, tta="flip_translate", tta_share=0.25
        )
    best = single.sort(descending=True).values
    unsure = (best[:, 0] - best[:, 1]).argsort()[:25]
    expected = single.clone()
    expected[unsure] = all_views[unsure]
    torch.testing.assert_close(found, expected, rtol=0, atol=LARGEST_DIFFERENCE)
    assert (all_views - single).abs().amax(1).min() > LARGEST_DIFFERENCE  # all would show
    assert seen == NUM_IMAGES + 25 * 5
    everywhere = trained.scores(pictures, tta="flip_translate", tta_share=1.0)
    assert torch.equal(everywhere, all_views)


def test_the_averaged_weights_are_the_ones_that_are_used(
    session: Session, trained: TrainedModel
) -> None:
    assert session.average is not None
    used = trained.model.state_dict()
    assert torch.equal(used["fc.weight"], session.average.module.state_dict()["fc.weight"])
    assert not torch.equal(used["fc.weight"], session.model.state_dict()["fc.weight"])


def test_it_repeats_the_validation_accuracy_of_its_record(
    session: Session, trained: TrainedModel
) -> None:
    images = session.val_images
    accuracy = (trained.scores(images.images_NCHW).argmax(1) == images.labels_N).double().mean()
    assert accuracy == session.progress.records[-1]["val_accuracy"] == trained.val_accuracy


def test_scoring_is_done_in_eval_mode_without_gradients_and_hears_of_its_progress(
    trained: TrainedModel, pictures: torch.Tensor
) -> None:
    heard: list[int] = []
    before = {name: value.clone() for name, value in trained.model.state_dict().items()}
    scores = trained.scores(pictures, batch_size=40, advance=heard.append)
    assert not trained.model.training
    assert not scores.requires_grad
    assert heard == [40, 40, 20]
    for name, value in trained.model.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_network_that_was_put_in_train_mode_is_scored_in_eval_mode_and_put_back(
    trained: TrainedModel, pictures: torch.Tensor
) -> None:
    before = {name: value.clone() for name, value in trained.model.state_dict().items()}
    inputs = trained.normalization(pictures)
    with torch.no_grad():
        expected = torch.cat([trained.model(one) for one in inputs.split(1)])
    trained.model.train()
    next(module for module in trained.model.modules() if not list(module.children())).eval()
    modes = [module.training for module in trained.model.modules()]
    assert set(modes) == {True, False}
    torch.testing.assert_close(trained.scores(pictures), expected, rtol=0, atol=LARGEST_DIFFERENCE)
    assert [module.training for module in trained.model.modules()] == modes
    for name, value in trained.model.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_checkpoint_file_needs_nothing_but_itself(
    session: Session, trained: TrainedModel, pictures: torch.Tensor, tmp_path: Path
) -> None:
    path = tmp_path / "moved and renamed"
    save_checkpoint(session.checkpoint(), path)
    loaded = load_trained_model(path, "cpu")
    assert torch.equal(loaded.scores(pictures), trained.scores(pictures))
    assert replace(loaded, model=trained.model, device=trained.device) == trained
    assert torch.equal(loaded.training_images, session.batches.images.hashes_N.unique())
    assert loaded.class_names == ("class 0", "class 1", "class 2")
    assert loaded.image_shape == (3, 8, 8)


def test_an_unknown_device_is_refused(session: Session, tmp_path: Path) -> None:
    save_checkpoint(session.checkpoint(), tmp_path / "a.ckpt")
    with pytest.raises(UsageError, match="--device tpu: unknown"):
        load_trained_model(tmp_path / "a.ckpt", "tpu")


def test_weights_that_do_not_fit_the_stored_config_are_refused(
    session: Session, cpu: Device
) -> None:
    checkpoint = replace(session.checkpoint(), class_names=["a", "b"])
    with pytest.raises(CheckpointError, match=r"x.ckpt: weights do not fit its model") as caught:
        restore_trained_model(checkpoint, cpu, "x.ckpt")
    assert "\n" not in str(caught.value)


def test_a_network_that_shrinks_the_stored_images_to_nothing_is_refused(
    session: Session, cpu: Device
) -> None:
    checkpoint = session.checkpoint()
    config = {**checkpoint.config, "model": {"name": "vgg16"}}
    with pytest.raises(CheckpointError, match=r"x.ckpt: model"):
        restore_trained_model(replace(checkpoint, config=config), cpu, "x.ckpt")


def test_a_stored_config_that_is_unknown_here_is_refused(session: Session, cpu: Device) -> None:
    checkpoint = session.checkpoint()
    config = {**checkpoint.config, "model": {"name": "quantum_net"}}
    with pytest.raises(CheckpointError, match=r"x.ckpt: stored config: model.name: .*is unknown"):
        restore_trained_model(replace(checkpoint, config=config), cpu, "x.ckpt")
