from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
import torch

from cnn_train.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from cnn_train.data.image_set import ImageSet
from cnn_train.data.normalization import Normalization
from cnn_train.errors import CheckpointError, ConfigError, DataError, InterruptedRun
from cnn_train.experiment import ExperimentConfig
from cnn_train.machine.device import Device
from cnn_train.training.building import build_session
from cnn_train.training.fit import Supervision, fit
from cnn_train.training.resuming import resume_session
from cnn_train.training.session import Session
from cnn_train.training.steps import endless_steps

Start = Callable[..., Session]


def weights(session: Session) -> list[torch.Tensor]:
    return list(session.model.state_dict().values())


def train_one_epoch(session: Session) -> None:
    for _ in session.train_rest_of_epoch():
        session.progress.step += 1


def test_the_seed_alone_decides_the_first_weights(start: Start) -> None:
    first = start(seed=1)
    torch.manual_seed(123)
    again, other = start(seed=1), start(seed=2)
    assert all(map(torch.equal, weights(first), weights(again)))
    assert not all(map(torch.equal, weights(first), weights(other)))


def test_building_leaves_the_global_generator_alone(start: Start) -> None:
    before = torch.get_rng_state()
    start()
    assert torch.equal(torch.get_rng_state(), before)


def test_the_images_are_normalised_by_the_training_images(
    start: Start, make_images: Callable[..., ImageSet]
) -> None:
    assert start().batches.normalization == Normalization.of(make_images(32).images_NCHW)


def test_an_epoch_has_an_update_per_minibatch_or_one_of_all(start: Start) -> None:
    assert start().pace.steps(1) == 4
    assert start(batch_size=31).pace.steps(1) == 1  # the last example joined the others
    assert start(optimizer={"name": "gd"}).pace.steps(1) == 1
    assert start(limit_batches=3).pace.steps(1) == 3


def test_the_schedule_ends_with_the_last_update(start: Start) -> None:
    session = start(schedule={"name": "linear", "final_factor": 0.0}, epochs=3)
    assert session.schedule(0) == 1
    assert session.schedule(3 * 4) == 0
    assert session.schedule(3 * 4 - 1) == pytest.approx(1 / 12)


def test_a_share_of_the_images_makes_shorter_epochs_for_all_who_count_them(start: Start) -> None:
    """18 of 32 images: minibatches of 8, 8 and 2, or of 8 twice where the limit is two."""
    selection = {"data_selection": {"keep": 0.55, "from_epoch": 1}, "epochs": 3}
    linear = {"schedule": {"name": "linear"}}
    session = start(**selection, **linear)
    sizes = [tally.num_examples for tally in islice(endless_steps(session), 10)]
    assert sizes == [8] * 4 + 2 * [8, 8, 2]
    assert [session.schedule(step) for step in (0, 9, 10)] == pytest.approx([1, 0.1, 0])
    descent = start(**selection, optimizer={"name": "gd"})
    assert descent.pace.steps(3) == 3
    assert [sum(piece.share for piece in descent.batches.plan(e)) for e in (0, 1)] == [1, 1]
    assert start(**selection, limit_batches=2).pace.steps(3) == 6
    assert start(**selection, limit_batches=3).pace.steps(3) == 9
    few = {"keep": 0.5, "from_epoch": 0, "by": "random"}
    assert start(data_selection=few).pace.steps(2) == 4


def test_validation_changes_neither_weights_nor_running_statistics(start: Start) -> None:
    session = start(model={"name": "resnet20"})
    before = [value.clone() for value in weights(session)]
    tally = session.validate()
    assert tally.num_examples == 12
    assert tally.penalty == 0
    assert all(map(torch.equal, weights(session), before))


def test_validation_does_not_depend_on_the_order_or_number_of_images(
    start: Start, make_images: Callable[..., ImageSet]
) -> None:
    """Batch norm would mix them, were the network not in eval mode."""
    session = start(model={"name": "resnet20"})
    train_one_epoch(session)
    whole = session.validate()
    images = make_images(12, seed=1)
    parts = []
    for indices in (range(11, 4, -1), range(5)):
        session.val_images = images.select(list(indices))
        parts.append(session.validate())
    total = parts[0] + parts[1]
    assert total.loss == pytest.approx(whole.loss, rel=1e-5)
    assert total.accuracy == whole.accuracy


def test_averaged_weights_follow_every_update(start: Start) -> None:
    """EMA by hand: the first update's weights, then 2/11, 3/12, and the decay below 4/13."""
    session = start(ema_decay=0.26)
    expected: list[torch.Tensor] = []
    for _, d in zip(session.train_rest_of_epoch(), (0, 2 / 11, 3 / 12, 0.26), strict=True):
        now = [value.double() for value in weights(session)]
        expected = [d * a + (1 - d) * b for a, b in zip(expected or now, now, strict=True)]
    for found, reference in zip(
        session.average.module.state_dict().values(), expected, strict=True
    ):
        torch.testing.assert_close(found.double(), reference, rtol=1e-5, atol=1e-6)


def test_validation_measures_the_averaged_weights_where_there_are_any(start: Start) -> None:
    session = start(ema_decay=0.9, augment={"flip": "none", "translate": 0})
    train_one_epoch(session)
    session.average.module.load_state_dict(start(seed=5).model.state_dict())
    assert session.validate().loss == start(seed=5).validate().loss


def test_images_enter_the_network_as_normalised_floats(start: Start) -> None:
    session = start(augment={"flip": "none", "translate": 0, "cutout": 0})
    inputs = torch.cat([batch.images_BCHW for batch in session.batches.epoch(0)])
    assert inputs.mean((0, 2, 3)).abs().max() < 1e-5
    assert (inputs.std((0, 2, 3), correction=0) - 1).abs().max() < 1e-5


def test_a_checkpoint_of_any_session_can_be_read_back(start: Start, tmp_path: Any) -> None:
    session = start(ema_decay=0.5, optimizer={"name": "adamw"})
    train_one_epoch(session)
    save_checkpoint(session.checkpoint(), tmp_path / "a.ckpt")
    loaded = load_checkpoint(tmp_path / "a.ckpt")
    resumed = start(ema_decay=0.5, optimizer={"name": "adamw"})
    resume_session(resumed, loaded)
    assert all(map(torch.equal, weights(resumed), weights(session)))
    assert ExperimentConfig.model_validate(loaded.config) == session.config
    assert loaded.environment["torch"] == str(torch.__version__)


def test_a_resumed_run_gives_filters_their_size_back_when_an_uninterrupted_one_does(
    start: Start, tmp_path: Any
) -> None:
    """An epoch has 4 updates: the third, not the first of the second epoch begins with it."""
    muon = {"optimizer": {"name": "muon", "renormalize_every": 3}}
    straight, stopped, resumed = start(**muon), start(**muon), start(**muon)
    for session in (straight, stopped):
        train_one_epoch(session)
    save_checkpoint(stopped.checkpoint(), tmp_path / "a.ckpt")
    resume_session(resumed, load_checkpoint(tmp_path / "a.ckpt"))
    for session in (straight, resumed):
        session.progress.epoch = 1
        train_one_epoch(session)
    assert all(map(torch.equal, weights(resumed), weights(straight)))


def test_a_muon_state_of_an_older_release_counts_its_updates_from_now_on(start: Start) -> None:
    session = start(optimizer={"name": "muon"})
    train_one_epoch(session)
    old = session.checkpoint()
    for group in old.optimizer["param_groups"]:
        del group["step"]
    resumed = start(optimizer={"name": "muon"})
    resume_session(resumed, old)
    train_one_epoch(resumed)
    assert [group["step"] for group in resumed.optimizer.param_groups] == [4, 4]


OPTIMIZERS = ({"name": "sgd"}, {"name": "adamw"}, {"name": "muon"}, {"name": "gd"})


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: optimizer["name"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state | {"another": torch.ones(3)},
        lambda state: {f"{name}_of_another": value for name, value in state.items()},
        lambda state: {name: torch.ones(7) for name in state},
        lambda state: dict.fromkeys(state, 1.0),
    ],
    ids=["one more", "renamed", "of another shape", "no tensors"],
)
def test_what_another_optimizer_keeps_is_refused_when_a_run_goes_on(
    start: Start, optimizer: dict[str, str], spoil: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    session = start(optimizer=optimizer)
    train_one_epoch(session)
    checkpoint = session.checkpoint()
    resume_session(start(optimizer=optimizer), checkpoint)
    states = checkpoint.optimizer["state"]
    spoilt = {number: spoil(state) for number, state in (states or {0: {}}).items()}
    if not any(spoilt.values()):
        return  # plain gradient descent keeps nothing that could be another's
    other = replace(checkpoint, optimizer=checkpoint.optimizer | {"state": spoilt})
    with pytest.raises(CheckpointError, match="its state does not fit the run"):
        resume_session(start(optimizer=optimizer), other)


def test_generator_states_and_positions_that_do_not_exist_are_refused(start: Start) -> None:
    checkpoint = start().checkpoint()
    short = checkpoint.generators | {"cpu": torch.zeros(7, dtype=torch.uint8)}
    with pytest.raises(CheckpointError, match="its state does not fit the run"):
        resume_session(start(), replace(checkpoint, generators=short))
    with pytest.raises(CheckpointError, match="an epoch has only 4 minibatches"):
        resume_session(start(), replace(checkpoint, position=5))


def test_a_checkpoint_holds_plain_contiguous_tensors_without_wrappers(start: Start) -> None:
    state = start(model={"name": "resnet20"}, ema_decay=0.5).checkpoint()
    assert list(state.averaged_model) == list(state.model)
    assert "fc.weight" in state.model
    assert all(value.is_contiguous() for value in state.model.values())


@pytest.mark.parametrize("split", ["train", "val"])
def test_resuming_on_other_images_is_refused(
    start: Start,
    make_images: Callable[..., ImageSet],
    make_config: Callable[..., ExperimentConfig],
    cpu: Device,
    split: str,
) -> None:
    images = {"train": make_images(32), "val": make_images(12, seed=1)}
    pixels = images[split].images_NCHW.clone()
    pixels[0, 0, 0, 0] ^= 1
    images[split] = replace(images[split], images_NCHW=pixels)
    session = build_session(make_config(), images["train"], images["val"], cpu)
    with pytest.raises(CheckpointError, match=f"the {split} images are not those"):
        resume_session(session, start().checkpoint())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda images: images.select([]), "the training split is empty"),
        (
            lambda images: replace(images.select([0, 3, 6]), class_names=("class 0",)),
            "at least two classes; found 1",
        ),
        (
            lambda images: images.select((images.labels_N != 1).nonzero()[:, 0]),
            "no training images of class class 1",
        ),
        (
            lambda images: replace(images, labels_N=images.labels_N + 1),
            "training labels run from 1 to 3, outside 0 to 2",
        ),
    ],
)
def test_images_that_training_would_choke_on_are_named_before_the_first_step(
    make_images: Callable[..., ImageSet],
    make_config: Callable[..., ExperimentConfig],
    cpu: Device,
    spoil: Callable[[ImageSet], ImageSet],
    message: str,
) -> None:
    with pytest.raises(DataError, match=message):
        build_session(make_config(), spoil(make_images(30)), make_images(12), cpu)
    with pytest.raises(DataError, match="the validation split is empty"):
        build_session(make_config(), make_images(30), make_images(12).select([]), cpu)


@pytest.mark.parametrize("name", ["translate", "cutout"])
def test_a_change_as_large_as_the_image_is_refused(start: Start, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"augment.{name}: 8 px, .* side is 8 px"):
        start(augment={name: 8})


WHITENED = {"name": "fastnet", "stem": "whitening", "stem_kernel_px": 2, "widths": [4],
            "extra_convolutions": [0], "pools": [2]}  # fmt: skip


def test_layers_that_are_not_learned_come_from_the_training_images(start, make_images) -> None:
    session = start(model=WHITENED)
    filters_DCHW = session.model.whiten.weight.detach().clone()
    inputs_BCHW = session.batches.normalization(make_images(32).images_NCHW)
    patches = torch.nn.functional.unfold(inputs_BCHW, 2).transpose(1, 2).flatten(0, 1)
    whitened = patches @ filters_DCHW.flatten(1)[:12].T
    assert 0.9 < whitened.square().mean(0).max() <= 1.001
    for _ in session.train_rest_of_epoch():
        pass
    assert torch.equal(session.model.whiten.weight, filters_DCHW)


def test_images_grow_over_the_epochs_and_validation_sees_them_whole(start) -> None:
    session = start(
        model=WHITENED, progressive_size={"start_px": 4, "full_from": 0.5, "step_px": 2}, epochs=4
    )
    seen = []
    session.model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[2]))
    for epoch in range(4):
        session.progress.epoch = epoch
        for _ in session.train_rest_of_epoch():
            pass
    session.validate()
    assert seen == [4] * 4 + [6] * 4 + [8] * 8 + [8]


def test_stages_change_the_size_within_an_epoch_of_a_resumed_run_too(start, tmp_path) -> None:
    """Two epochs of four updates: full size from the seventh on, whoever makes it."""
    settings = {
        "model": WHITENED,
        "epochs": 2,
        "progressive_size": {"stages": [[4, 0.3], [6, 0.7]]},
    }
    straight, stopped, resumed = (start(**settings) for _ in range(3))
    seen = []
    for session in (straight, resumed):
        session.model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[2]))
    for _ in fit(straight):
        pass
    assert [side for side in seen if side < 8] == [4, 4, 4, 6, 6, 6]
    train = Supervision(should_stop=lambda: stopped.progress.step == 2)
    with pytest.raises(InterruptedRun):
        list(fit(stopped, train))
    save_checkpoint(stopped.checkpoint(), tmp_path / "a.ckpt")
    resume_session(resumed, load_checkpoint(tmp_path / "a.ckpt"))
    seen.clear()
    for _ in fit(resumed):
        pass
    assert [side for side in seen if side < 8] == [4, 6, 6, 6]
    assert all(map(torch.equal, weights(resumed), weights(straight)))


def test_the_side_of_every_stage_is_tried_before_training(start) -> None:
    stages = [[6, 0.5], [2, 0.51]]  # the second comes too late for any epoch to begin with it
    with pytest.raises(ConfigError, match="images of 2×2 pixels"):
        start(model=WHITENED, progressive_size={"stages": stages}, epochs=1)


def test_a_network_whose_weights_depend_on_the_size_cannot_grow_its_images(start) -> None:
    with pytest.raises(ConfigError, match="mlp has other weights for images of 4×4 pixels"):
        start(progressive_size={"start_px": 4})


def test_images_too_small_for_the_network_are_refused_before_training(start) -> None:
    with pytest.raises(ConfigError, match=r"progressive_size: images of 2×2 pixels: .*fastnet"):
        start(model=WHITENED, progressive_size={"start_px": 2})


def test_every_size_on_the_way_is_tried_before_training(start) -> None:
    net = {"name": "fastnet", "stem": "space_to_depth", "widths": [4], "extra_convolutions": [0],
           "pools": [1]}  # fmt: skip
    growing = {"start_px": 4, "full_from": 1.0, "step_px": 1}
    with pytest.raises(ConfigError, match=r"images of 5×5 pixels: .*even sides"):
        start(model=net, progressive_size=growing, epochs=4)


def test_accumulated_minibatches_are_fewer_updates_for_all_who_count_them(start: Start) -> None:
    """32 images: four minibatches of 8, or two updates of three and one."""
    session = start(accumulate=3, schedule={"name": "linear"}, epochs=3)
    assert session.pace.steps(3) == 6
    assert [session.schedule(step) for step in (0, 3, 6)] == pytest.approx([1, 0.5, 0])
    record = next(fit(session))
    assert (record.step, record.lr) == (2, pytest.approx(0.05 * 5 / 6))
    assert start(accumulate=9).pace.steps(1) == 1
    assert start(accumulate=9, optimizer={"name": "gd"}).pace.steps(1) == 1


def test_an_accumulated_run_learns_what_one_of_large_minibatches_learns(start: Start) -> None:
    """Without batch norm, up to the rounding of sums; the averaged weights too."""
    settings = {"epochs": 3, "ema_decay": 0.9, "loss": {"weights": [1.0, 4.0, 0.3]}}
    pieced = start(batch_size=4, accumulate=2, **settings)
    whole = start(batch_size=8, **settings)
    for session in (pieced, whole):
        assert len(list(fit(session))) == 3
    assert pieced.progress.step == whole.progress.step == 12
    for name, expected in whole.checkpoint().averaged_model.items():
        torch.testing.assert_close(
            pieced.checkpoint().averaged_model[name], expected, rtol=1e-4, atol=1e-6
        )


def test_the_validation_loss_has_the_weights_of_the_training_loss(start: Start) -> None:
    """They are those of the training images, 11, 11 and 10 of the classes."""
    session = start(loss={"weights": "balanced"})
    plain = start().validate()
    images_BCHW = session.batches.normalization(session.val_images.images_NCHW)
    scores_BK = session.model.eval()(images_BCHW)
    losses_B = torch.nn.functional.cross_entropy(
        scores_BK, session.val_images.labels_N, reduction="none"
    )
    weights_B = 32 / (3 * torch.tensor([11.0, 11, 10]))[session.val_images.labels_N]
    found = session.validate()
    assert found.loss == pytest.approx((losses_B * weights_B).mean().item(), rel=1e-5)
    assert (found.accuracy, plain.loss) == (plain.accuracy, pytest.approx(losses_B.mean().item()))


def test_weights_are_one_per_class_of_the_training_images(start: Start) -> None:
    with pytest.raises(ConfigError, match="2 numbers for 3 classes; give one for each of class 0"):
        start(loss={"weights": [1.0, 2.0]})


def test_a_balanced_epoch_shows_every_class_equally_often(
    make_config: Callable[..., ExperimentConfig], make_images: Callable[..., ImageSet], cpu: Device
) -> None:
    images = make_images(40)
    kept = images.select([i for i in range(40) if i % 3 == 0 or i < 12])
    config = make_config(data={"sampling": "balanced"})
    session = build_session(config, kept, make_images(12, seed=1), cpu)
    labels_N = torch.cat([batch.labels_B for batch in session.batches.epoch(1)])
    assert kept.labels_N.bincount().tolist() == [14, 4, 4]
    assert sorted(labels_N.bincount().tolist()) == [7, 7, 8]
