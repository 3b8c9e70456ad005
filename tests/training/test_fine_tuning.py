from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
import torch

from cnn_train.checkpoints.checkpoint import Checkpoint
from cnn_train.checkpoints.pretrained import FOLDER
from cnn_train.data.image_set import ImageSet
from cnn_train.errors import CheckpointError, ConfigError, InterruptedRun
from cnn_train.experiment import ExperimentConfig
from cnn_train.machine.device import Device
from cnn_train.training.building import build_session
from cnn_train.training.fine_tuning import (
    Weights,
    changed_settings,
    describe_learning,
    keep_normalization,
    start_from_weights,
)
from cnn_train.training.fit import Supervision, fit
from cnn_train.training.resuming import checked_changes, resume_session
from cnn_train.training.session import Session

Start = Callable[..., Session]

MODEL = {"name": "fastnet", "widths": [4, 6], "extra_convolutions": [0, 1], "pools": [2, 1]}
HEAD = "fc.weight"


@pytest.fixture
def pretrained(start: Start) -> Checkpoint:
    """A trained checkpoint of three classes whose averaged weights are not its last ones."""
    session = start(model=MODEL, ema_decay=0.5, seed=1, epochs=1)
    for _ in fit(session):
        pass
    checkpoint = session.checkpoint()
    assert not torch.equal(checkpoint.averaged_model[HEAD], checkpoint.model[HEAD])
    return checkpoint


@pytest.fixture
def start_with_classes(
    make_config: Callable[..., object], make_images: Callable[..., ImageSet], cpu: Device
) -> Callable[..., Session]:
    """Build a fresh session for images of another number of classes."""

    def build(num_classes: int, **sections: object) -> Session:
        images = make_images(40, num_classes), make_images(20, num_classes, seed=1)
        config = make_config(model=MODEL, **sections)
        return build_session(config, *images, cpu)

    return build


def state_of(session: Session) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in session.model.state_dict().items()}


def test_a_run_starts_from_the_weights_that_one_would_use(
    start: Start, pretrained: Checkpoint
) -> None:
    session = start(model=MODEL, ema_decay=0.9)
    report = start_from_weights(session, pretrained)
    found = state_of(session)
    assert (report.dropped, report.new) == ((), ())
    assert set(report.kept) == set(found)
    for name, value in pretrained.averaged_model.items():
        assert torch.equal(found[name], value)


def test_the_average_follows_so_that_it_validates_as_well_as_the_checkpoint_did(
    start: Start, pretrained: Checkpoint
) -> None:
    session = start(model=MODEL, ema_decay=0.9)
    start_from_weights(session, pretrained)
    for name, value in session.average.module.state_dict().items():
        assert torch.equal(value, session.model.state_dict()[name])
    assert session.validate().accuracy == pretrained.val_accuracy


def test_a_run_from_weights_trains_them_and_not_copies(
    start: Start, pretrained: Checkpoint
) -> None:
    """The optimizer holds the very parameters that were filled."""
    session = start(model=MODEL, epochs=1)
    start_from_weights(session, pretrained)
    before = state_of(session)
    record = next(fit(session))
    assert not torch.equal(before[HEAD], state_of(session)[HEAD])
    assert record.val_accuracy >= (pretrained.val_accuracy or 1) - 0.2
    pretrained.model[HEAD].zero_()
    assert state_of(session)[HEAD].any()


def test_a_head_of_another_size_is_refused_with_both_shapes_and_the_way_out(
    start_with_classes: Callable[..., Session], pretrained: Checkpoint
) -> None:
    session = start_with_classes(5)
    before = state_of(session)
    with pytest.raises(CheckpointError) as caught:
        start_from_weights(session, pretrained)
    message = str(caught.value)
    assert "of a wrong shape: fc.weight (3, 6) instead of (5, 6); --new-head leaves" in message
    assert "\n" not in message
    after = state_of(session)
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_a_new_head_is_as_it_was_drawn_and_everything_else_is_kept(
    start_with_classes: Callable[..., Session], pretrained: Checkpoint
) -> None:
    session = start_with_classes(5, ema_decay=0.9)
    fresh = state_of(session)
    report = start_from_weights(session, pretrained, new_head=True)
    found = state_of(session)
    assert report.dropped == report.new == (HEAD,)
    assert set(report.kept) == set(found) - {HEAD}
    assert torch.equal(found[HEAD], fresh[HEAD])
    for name in report.kept:
        assert torch.equal(found[name], pretrained.averaged_model[name])
    assert torch.equal(session.average.module.state_dict()[HEAD], fresh[HEAD])
    assert next(fit(session)).step == 5  # 40 images in minibatches of 8


def test_a_head_of_the_same_size_is_fresh_too_where_it_is_asked_for(
    start: Start, pretrained: Checkpoint
) -> None:
    session = start(model=MODEL)
    fresh = state_of(session)[HEAD]
    start_from_weights(session, pretrained, new_head=True)
    assert torch.equal(state_of(session)[HEAD], fresh)


@pytest.mark.parametrize("new_head", [False, True])
def test_missing_extra_and_wrong_tensors_are_all_listed_and_never_skipped(
    start: Start, pretrained: Checkpoint, new_head: bool
) -> None:
    weights = dict(pretrained.usable_weights)
    del weights["stage1.bn.weight"]
    weights["stage9.conv.weight"] = torch.zeros(1, 2)
    weights["stage2.bn.bias"] = torch.zeros(7)
    damaged = replace(pretrained, averaged_model=weights)
    with pytest.raises(CheckpointError) as caught:
        start_from_weights(start(model=MODEL), damaged, new_head=new_head)
    message = str(caught.value)
    assert "of a wrong shape: stage2.bn.bias (7,) instead of (6,)" in message
    assert "missing: stage1.bn.weight (4,)" in message
    assert "not in the model: stage9.conv.weight (1, 2)" in message
    assert "use the config that the weights were trained with" in message
    assert "--new-head" not in message


def test_a_head_for_other_classes_is_refused_though_its_shape_fits(
    start: Start, pretrained: Checkpoint
) -> None:
    session = start(model=MODEL)
    assert session.batches.images.class_names == ("class 0", "class 1", "class 2")
    start_from_weights(session, pretrained)
    for names in (["cat", "dog", "owl"], ["class 1", "class 0", "class 2"]):
        other = replace(pretrained, class_names=names)
        with pytest.raises(CheckpointError, match=r"in this order; .* --new-head leaves"):
            start_from_weights(session, other)
        start_from_weights(session, other, new_head=True)
    images = replace(session.batches.images, class_names=("e\u0301", "e", "o"))
    session.batches = replace(session.batches, images=images)
    start_from_weights(session, replace(pretrained, class_names=["\u00e9", "e", "o"]))  # the same


@pytest.fixture
def darker(make_images: Callable[..., ImageSet]) -> Callable[..., ImageSet]:
    """Make images of half the brightness: their mean and deviation are others."""

    def make(num_examples: int = 32, seed: int = 0) -> ImageSet:
        images = make_images(num_examples, seed=seed)
        return replace(images, images_NCHW=images.images_NCHW // 2)

    return make


@pytest.mark.parametrize("normalization", ["auto", "images", "imagenet"])
def test_weights_are_fed_as_they_were_trained_unless_the_config_says_otherwise(
    pretrained: Checkpoint,
    make_config: Callable[..., object],
    make_images: Callable[..., ImageSet],
    darker: Callable[..., ImageSet],
    cpu: Device,
    normalization: str,
) -> None:
    """Before training, validation loss and accuracy are those of plain torch on the same images."""
    val = make_images(12, seed=1)
    config = make_config(model=MODEL, normalization=normalization)
    session = build_session(config, darker(), val, cpu)
    start_from_weights(session, pretrained)
    said = keep_normalization(session, pretrained)

    darker_pixels_C3 = darker().images_NCHW.double().div(255).transpose(0, 1).flatten(1)
    mean_C, std_C = {
        "auto": tuple(torch.tensor(x).double() for x in pretrained.normalization.values()),
        "images": (darker_pixels_C3.mean(1), darker_pixels_C3.std(1, correction=0)),
        "imagenet": torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).double(),
    }[normalization]
    inputs_BCHW = (val.images_NCHW / 255 - mean_C[:, None, None]) / std_C[:, None, None]
    network = config.model.build(3, (3, 8, 8)).eval().double()
    network.load_state_dict(pretrained.usable_weights)
    with torch.no_grad():
        scores_BK = network(inputs_BCHW)
    measured = session.validate()
    expected = torch.nn.functional.cross_entropy(scores_BK, val.labels_N).item()
    assert measured.loss == pytest.approx(expected, abs=1e-5)
    assert measured.accuracy == (scores_BK.argmax(1) == val.labels_N).double().mean().item()
    assert f"mean {mean_C[0]:.4f} {mean_C[1]:.4f}" in said
    assert session.checkpoint().normalization["std"] == pytest.approx(std_C.tolist(), abs=1e-6)


def test_a_resumed_run_goes_on_with_the_normalization_that_it_kept(
    start: Start, pretrained: Checkpoint, make_config: Callable[..., object],
    make_images: Callable[..., ImageSet], darker: Callable[..., ImageSet], cpu: Device,
) -> None:  # fmt: skip
    sessions = []
    for _ in range(2):
        images = darker(), make_images(12, seed=1)
        sessions.append(build_session(make_config(model=MODEL, epochs=2), *images, cpu))
    first, resumed = sessions
    start_from_weights(first, pretrained)
    keep_normalization(first, pretrained)
    epochs = fit(first)
    next(epochs)
    resume_session(resumed, deepcopy(first.checkpoint()))
    next(epochs)
    next(fit(resumed))
    assert resumed.checkpoint().normalization == pretrained.normalization
    for name, value in first.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value)


def test_the_normalization_of_a_run_cannot_change_on_the_way(
    make_config: Callable[..., ExperimentConfig],
) -> None:
    configs = make_config(), make_config(normalization="imagenet")
    with pytest.raises(ConfigError, match="normalization: auto before, imagenet now"):
        checked_changes(*configs, (None, None), ["normalization"])


def test_imagenets_normalization_of_grey_images_is_refused(
    make_config: Callable[..., object], make_images: Callable[..., ImageSet], cpu: Device
) -> None:
    grey = make_images(32, shape=(1, 8, 8))
    with pytest.raises(ConfigError, match="imagenet is for colour images"):
        build_session(make_config(normalization="imagenet"), grey, grey, cpu)


def test_settings_that_change_what_equal_weights_compute_are_named(
    start: Start, pretrained: Checkpoint
) -> None:
    assert changed_settings(start(model=MODEL), pretrained, "x.ckpt") == []
    other = start(model=MODEL | {"activation": "gelu"})
    (change,) = changed_settings(other, pretrained, "x.ckpt")
    assert change == "model.activation: relu before, gelu now"


def test_a_file_that_does_not_name_its_classes_keeps_no_head(
    start: Start, pretrained: Checkpoint
) -> None:
    session, unnamed = start(model=MODEL), replace(pretrained, class_names=[])
    with pytest.raises(CheckpointError, match=r"does not name its classes: --new-head leaves"):
        start_from_weights(session, unnamed)
    start_from_weights(session, unnamed, new_head=True)


FROZEN = {
    "stage1": {"freeze": ["stage1"]},
    "body": {"freeze": ["body"]},
    "head first": {"head_first_epochs": 2},
}
OPTIMIZERS: dict[str, dict[str, object]] = {
    "sgd": {"optimizer": {"name": "sgd", "lr": 0.1}},
    "gd": {"optimizer": {"name": "gd", "lr": 0.1}},
    "muon": {"optimizer": {"name": "muon", "sgd_decay": 0.01}},
    "adamw with decay": {"optimizer": {"name": "adamw", "weight_decay": 0.5}},
    "average and clipping": {"ema_decay": 0.9, "clip_grad_norm": 0.1},
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("kind", FROZEN)
def test_what_is_frozen_keeps_every_bit_its_statistics_and_has_no_momentum(
    start: Start, kind: str, optimizer: str
) -> None:
    session = start(model=MODEL, epochs=2, fine_tuning=FROZEN[kind], **OPTIMIZERS[optimizer])
    before = state_of(session)
    for _ in fit(session):
        pass
    after = state_of(session)
    still = {name for name in before if torch.equal(before[name], after[name])}
    is_body = {name: name != HEAD and (kind != "stage1" or "stage1" in name) for name in before}
    assert still == {name for name, frozen in is_body.items() if frozen}
    if session.average:
        averaged = session.average.module.state_dict()
        assert all(torch.equal(averaged[name], before[name]) for name in still)
    by_name = dict(session.model.named_parameters())
    assert {n for n in by_name if by_name[n] in session.optimizer.state and n in still} == set()


def test_frozen_weights_take_no_part_in_the_penalty(start: Start) -> None:
    strength = {"kind": "l2", "strength": 0.5}
    session = start(model=MODEL, regularization=strength, fine_tuning={"freeze": ["body"]})
    expected = 0.5 * session.model.get_parameter(HEAD).square().sum()
    assert session.penalty().item() == pytest.approx(expected.item(), rel=1e-6)


def test_after_the_first_epochs_the_body_learns_too_and_the_whitening_never(start: Start) -> None:
    model = {"name": "fastnet", "widths": [4, 6], "extra_convolutions": [0, 0], "pools": [2, 1],
             "stem": "whitening", "stem_kernel_px": 2}  # fmt: skip
    session = start(model=model, epochs=2, fine_tuning={"head_first_epochs": 1})
    first, epochs = state_of(session), fit(session)
    next(epochs)
    second = state_of(session)
    next(epochs)
    third = state_of(session)
    moved = [{n for n in a if not torch.equal(a[n], b[n])}
             for a, b in ((first, second), (second, third))]  # fmt: skip
    assert moved[0] == {HEAD}
    assert moved[1] == set(first) - {"whiten.weight"}


def test_the_first_epochs_are_those_of_a_run_whose_body_is_frozen(start: Start) -> None:
    plain = {"model": MODEL, "epochs": 3, "regularization": {"kind": "none"}}
    sessions = [start(**plain, fine_tuning=f) for f in (FROZEN["body"], FROZEN["head first"])]
    for session in sessions:
        epochs = fit(session)
        next(epochs), next(epochs)
    states = [state_of(session) for session in sessions]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize(
    ("optimizer", "stop_after"),  # 4 updates an epoch; the body joins after 4
    [("sgd", 2), ("adamw with decay", 4), ("muon", 6)],
)
def test_a_resumed_run_has_the_same_bits_before_and_after_the_body_learns(
    start: Start, optimizer: str, stop_after: int
) -> None:
    def build() -> Session:
        fine_tuning = {"freeze": ["stage1.conv"], "head_first_epochs": 1, "body_lr": 0.5}
        return start(model=MODEL, epochs=2, fine_tuning=fine_tuning, **OPTIMIZERS[optimizer])

    straight, stopped, resumed = build(), build(), build()
    for _ in fit(straight):
        pass
    saved: list[Checkpoint] = []

    def should_stop() -> bool:
        if stopped.progress.step == stop_after and not saved:
            saved.append(deepcopy(stopped.checkpoint()))
        return bool(saved)

    with pytest.raises(InterruptedRun):
        for _ in fit(stopped, Supervision(should_stop=should_stop)):
            pass
    resume_session(resumed, saved[0])
    for _ in fit(resumed):
        pass
    expected, found = state_of(straight), state_of(resumed)
    assert resumed.progress.step == straight.progress.step == 8
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_the_bodys_rate_scales_its_first_update_and_keeps_factors_of_layers(start: Start) -> None:
    def moved(**settings: object) -> dict[str, torch.Tensor]:
        sgd = {"name": "sgd", "lr": 0.1, "momentum": 0, "lr_factors": {"stage1": 4.0}}
        session = start(1, model=MODEL, epochs=1, optimizer=sgd, augment={"flip": "none"},
                        schedule={"name": "constant"}, fine_tuning=settings)  # fmt: skip
        before = dict(session.model.state_dict())
        before = {name: before[name].clone() for name, _ in session.model.named_parameters()}
        next(fit(session))
        return {name: session.model.state_dict()[name] - old for name, old in before.items()}

    whole, slower = moved(), moved(body_lr=0.25)
    for name, change in whole.items():
        factor = 1 if name == HEAD else 0.25
        torch.testing.assert_close(slower[name], factor * change, rtol=1e-3, atol=1e-6)


def test_nothing_is_computed_backwards_through_a_frozen_beginning(start: Start) -> None:
    session = start(model=MODEL, fine_tuning={"freeze": ["stage1"]})
    outputs: list[torch.Tensor] = []
    session.model.stage1.register_forward_hook(lambda *given: outputs.append(given[2]))
    next(session.train_rest_of_epoch())
    assert [output.requires_grad for output in outputs] == [False]


def test_a_forward_pass_is_made_anew_when_other_weights_learn(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bool] = []

    def training_forward(module: torch.nn.Module, *rest: object, **settings: object) -> Any:
        made.append(module.get_parameter("stage1.conv.weight").requires_grad)
        return module

    monkeypatch.setattr("cnn_train.training.building.training_forward", training_forward)
    for _ in fit(start(model=MODEL, epochs=4, fine_tuning={"head_first_epochs": 2})):
        pass
    assert made == [False, True]


def test_what_learns_and_when_is_put_into_words(start: Start) -> None:
    settings = {"freeze": ["stage1"], "head_first_epochs": 2, "body_lr": 0.1}
    said = describe_learning(start(model=MODEL, fine_tuning=settings))
    assert said == (
        "582 of 698 parameters; in epochs 1 to 2 only the 18 of fc; all but fc at 0.1 of the rate"
    )
    assert describe_learning(start(model=MODEL)) == ""
    first = start(model=MODEL, fine_tuning={"head_first_epochs": 1})
    assert describe_learning(first) == "in the first epoch only the 18 of fc"


def test_a_model_that_ships_is_recorded_by_its_name_and_any_other_by_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Weights.read(Path("pretrained:linear")).origin["weights_from"] == "pretrained:linear"
    monkeypatch.chdir(tmp_path)
    copy(FOLDER / "linear.ckpt", "own.ckpt")
    assert Weights.read(Path("own.ckpt")).origin["weights_from"] == str(tmp_path / "own.ckpt")


def test_other_layers_cannot_be_frozen_on_the_way(
    make_config: Callable[..., ExperimentConfig],
) -> None:
    configs = make_config(), make_config(fine_tuning={"freeze": ["body"]})
    with pytest.raises(ConfigError, match=r"freeze: \[\] before, \[body\] now\nthese cannot"):
        checked_changes(*configs, (None, None), ["fine_tuning"])


def test_a_rate_of_its_own_cannot_be_given_to_the_body_on_the_way(start: Start) -> None:
    checkpoint = start(model=MODEL).checkpoint()
    with pytest.raises(CheckpointError, match=r"fine_tuning.body_lr or .* a rate of their own"):
        resume_session(start(model=MODEL, fine_tuning={"body_lr": 0.1}), checkpoint)
