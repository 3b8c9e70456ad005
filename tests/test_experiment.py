from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from cnn_train.config.known_keys import section_types
from cnn_train.config.loading import validate_settings
from cnn_train.errors import ConfigError
from cnn_train.experiment import ExperimentConfig
from cnn_train.losses import LOSSES
from cnn_train.losses.regularization import REGULARIZATIONS
from cnn_train.models import ARCHITECTURES
from cnn_train.models.resnet import CifarResNetConfig
from cnn_train.optim import OPTIMIZERS
from cnn_train.optim.schedules import SCHEDULES


def make(**sections: Any) -> ExperimentConfig:
    return ExperimentConfig.model_validate(sections)


def reachable_configs() -> list[type[BaseModel]]:
    """Return the experiment's class and every component's."""
    configs: list[type[BaseModel]] = [ExperimentConfig]
    for config in configs:
        for field in config.model_fields.values():
            configs += [c for c in section_types(field.annotation) if c not in configs]
    return configs


TABLES = {
    "model": (ARCHITECTURES, "name"), "loss": (LOSSES, "name"), "optimizer": (OPTIMIZERS, "name"),
    "schedule": (SCHEDULES, "name"), "regularization": (REGULARIZATIONS, "kind"),
}  # fmt: skip


@pytest.mark.parametrize(("table", "tag"), TABLES.values(), ids=TABLES)
def test_every_component_is_listed_under_its_own_name(table: dict[str, Any], tag: str) -> None:
    for name, config_type in table.items():
        assert getattr(config_type(**{tag: name}), tag) == name


FIELDS = [(config, name) for config in reachable_configs() for name in config.model_fields]


def test_the_defaults_are_those_that_the_readme_shows() -> None:
    config = make().model_dump(mode="json")
    assert config["data"]["name"] == "cifar10"
    assert config["data"]["val_fraction"] == 0.1
    assert config["loss"] == {
        "name": "cross_entropy", "weights": "none", "label_smoothing": 0,
    }  # fmt: skip
    assert config["regularization"] == {"kind": "l2", "strength": 5e-4, "apply_to": "weights"}
    sgd = {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True, "lr_factors": {}}
    assert config["optimizer"] == sgd
    assert config["schedule"]["name"] == "cosine"
    augment = {"flip": "random", "translate": 4, "cutout": 0, "brightness": 0, "contrast": 0}
    assert augment.items() <= config["augment"].items()
    assert (config["batch_size"], config["epochs"], config["seed"]) == (128, 30, 0)
    assert make().model == CifarResNetConfig()


def test_the_walk_over_configs_reaches_every_section() -> None:
    names = {config.__name__ for config in reachable_configs()}
    assert {"VGGConfig", "HingeConfig", "L1Config", "AdamWConfig", "FolderConfig"} <= names
    assert {"StepConfig", "AugmentConfig", "CIFAR10Config", "ShapesConfig"} <= names


@pytest.mark.parametrize(
    ("config", "name"), FIELDS, ids=[f"{config.__name__}.{name}" for config, name in FIELDS]
)
def test_every_setting_says_what_it_means(config: type[BaseModel], name: str) -> None:
    field = config.model_fields[name]
    is_tag = name in ("name", "kind")
    assert is_tag or field.description, f"{config.__name__}.{name} needs a description"


@pytest.mark.parametrize("config", reachable_configs())
def test_every_config_is_frozen_strict_and_closed(config: type[BaseModel]) -> None:
    settings = config.model_config
    assert settings.get("frozen")
    assert settings.get("strict")
    assert settings.get("extra") == "forbid"
    assert settings.get("allow_inf_nan") is False


def test_a_resolved_config_validates_to_itself() -> None:
    config = make(model={"name": "vgg16"}, schedule={"name": "step"}, optimizer={"name": "adamw"})
    assert ExperimentConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("sections", "warning"),
    [
        (
            {"schedule": {"name": "cosine", "warmup_epochs": 5}, "epochs": 5},
            "schedule.warmup_epochs 5: training lasts 5 epochs, so the learning rate never "
            "leaves warm-up",
        ),
        (
            {"schedule": {"name": "multistep", "milestones": [3, 30]}, "epochs": 10},
            "schedule.multistep: a change at epoch 30 of 10 has no effect",
        ),
        (
            {"schedule": {"name": "step", "step_epochs": 40}, "epochs": 40},
            "schedule.step: a change at epoch 40 of 40 has no effect",
        ),
        (
            {"data_selection": {"keep": 0.5, "from_epoch": 5}, "epochs": 5},
            "data_selection.from_epoch 5: training lasts 5 epochs, so each of them trains on all "
            "images",
        ),
        (
            {"regularization": {"kind": "l1", "strength": 0.0}},
            "regularization.kind l1: strength 0 has no effect",
        ),
        (
            {
                "optimizer": {"name": "adamw", "weight_decay": 0.01},
                "regularization": {"kind": "l2"},
            },
            "optimizer.weight_decay and regularization both shrink the weights; "
            "set one of them to 0",
        ),
        (
            {"optimizer": {"name": "adamw"}, "regularization": {"kind": "l2"}},
            "regularization.kind l2: adamw rescales its gradient with that of the loss, weight by "
            "weight; for a decay that it leaves as it is, take regularization.kind none and "
            "optimizer.weight_decay 0.01",
        ),
        (
            {"cuda_graphs": True, "accumulate": 4},
            "cuda_graphs: no effect under accumulate 4, whose minibatches share one update",
        ),
        (
            {"accumulate": 4, "optimizer": {"name": "gd"}},
            "accumulate: no effect under optimizer gd, whose updates take all images",
        ),
        (
            {"stop": {"patience": 29}, "epochs": 30},
            "stop.patience 29: training lasts 30 epochs, so it never stops early",
        ),
        ({"stop": {"min_delta": 0.1}}, "stop.min_delta: no effect, because stop.patience is off"),
        (
            {"schedule": {"name": "cosine", "restart_gamma": 0.5}},
            "schedule.restart_gamma: no effect, because schedule.restart_epochs is off",
        ),
        (
            {"schedule": {"name": "cosine", "restart_epochs": 4, "warmup_epochs": 1}, "epochs": 5},
            "schedule.cosine: a change at epoch 5 of 5 has no effect",
        ),
        (
            {"loss": {"name": "hinge", "weights": "balanced"}, "data": {"sampling": "balanced"}},
            "loss.weights and data.sampling are both balanced: rare classes count twice over; set "
            "one of them",
        ),
        (
            {"cuda_graphs": True, "optimizer": {"name": "gd"}},
            "cuda_graphs: no effect under optimizer gd, whose minibatches share one update",
        ),
    ],
)
def test_a_setting_without_effect_is_warned_of_and_nothing_else_is(
    sections: dict[str, Any], warning: str
) -> None:
    assert make(**sections).warnings() == [warning]


@pytest.mark.parametrize(
    ("sections", "kind", "decay"),
    [
        ({"optimizer": {"name": "adamw"}}, "none", 0.01),
        ({"optimizer": {"name": "adamw", "weight_decay": 0.1}}, "none", 0.1),
        ({"optimizer": {"name": "adamw", "weight_decay": 0.0}}, "none", 0),
        ({"optimizer": {"name": "adamw"}, "regularization": {"kind": "l1"}}, "l1", 0),
        ({"optimizer": {"name": "adamw"}, "regularization": {"kind": "none"}}, "none", 0),
        ({"optimizer": {"name": "sgd"}}, "l2", None),
        ({"optimizer": {"name": "muon"}}, "l2", None),
    ],
)
def test_weights_are_shrunk_by_adamw_itself_or_by_the_penalty_that_was_asked_for(
    sections: dict[str, Any], kind: str, decay: float | None
) -> None:
    config = make(**sections)
    assert config.regularization.kind == kind
    assert getattr(config.optimizer, "weight_decay", None) == decay
    assert make(**config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"schedule": {"name": "cosine", "warmup_epochs": 5}, "epochs": 6},
        {"schedule": {"name": "multistep", "milestones": [3, 9]}, "epochs": 10},
        {"regularization": {"kind": "none"}},
        {"regularization": {"kind": "none"}, "optimizer": {"name": "adamw", "weight_decay": 0.1}},
        {"optimizer": {"name": "sgd", "momentum": 0.0}},
        {"ema_decay": 0.99},
        {"data_selection": {"keep": 0.5, "from_epoch": 5}, "epochs": 6},
        {"data_selection": {"from_epoch": 5}, "epochs": 5},
        {"optimizer": {"name": "adamw"}},
        {"optimizer": {"name": "adamw"}, "regularization": {"kind": "none"}},
        {"optimizer": {"name": "muon"}, "regularization": {"kind": "l2"}},
    ],
)
def test_settings_that_have_an_effect_are_not_warned_of(sections: dict[str, Any]) -> None:
    assert make(**sections).warnings() == []


@pytest.mark.parametrize(
    "sections",
    [
        {"epochs": 0},
        {"epochs": 1.5},
        {"batch_size": 0},
        {"seed": -1},
        {"seed": 2**63},
        {"ema_decay": 1.0},
        {"precision": "float16"},
        {"optimizer": {"momentun": 0.9}},
        {"model": {"name": "vgg12"}},
        {"colour": "red"},
    ],
)
def test_a_setting_out_of_range_of_the_wrong_type_or_unknown_is_refused(
    sections: dict[str, Any],
) -> None:
    with pytest.raises(ValidationError):
        make(**sections)


def test_balanced_sampling_and_a_share_of_the_images_exclude_each_other() -> None:
    with pytest.raises(ValidationError, match="balanced and data_selection both choose the images"):
        make(data={"sampling": "balanced"}, data_selection={"keep": 0.5})
    assert make(data={"sampling": "balanced"}, data_selection={"keep": 1.0})


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"loss": {"weights": [1, "x"]}}, 'loss.weights[1]: "x" is a string; expected a number'),
        (
            {"augment": {"crop_scale": 0.5}},
            "augment.crop_scale: 0.5 is a decimal number; write a list of 2",
        ),
    ],
)
def test_a_wrong_list_is_one_finding_that_says_what_is_wrong_in_it(
    sections: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        validate_settings(sections, "train", ExperimentConfig)
    assert str(refused.value).endswith(message)
    assert "\n" not in str(refused.value)
