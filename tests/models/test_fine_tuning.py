import pytest
import torch
from torch import nn

from cnn_train.errors import ConfigError
from cnn_train.models import ARCHITECTURES
from cnn_train.models.fine_tuning import FineTuningConfig, freeze, train_mode
from cnn_train.models.head import head_tensors


def build(name: str = "fastnet") -> nn.Module:
    return ARCHITECTURES[name].model_validate({"name": name}).build(4, (3, 32, 32))


def frozen(model: nn.Module) -> set[str]:
    return {name for name, p in model.named_parameters() if not p.requires_grad}


def test_a_name_freezes_all_that_it_holds_and_nothing_whose_name_only_begins_like_it() -> None:
    model = build()
    model.stage10 = nn.Linear(2, 2)
    freeze(model, ["stage1", "stage2.conv", "stage3.bn.bias"])
    assert frozen(model) == {
        "stage1.conv.weight", "stage1.bn.weight", "stage1.bn.bias", "stage2.conv.weight",
        "stage3.bn.bias",
    }  # fmt: skip


@pytest.mark.parametrize("name", [name for name in ARCHITECTURES if name != "torchvision"])
def test_the_body_is_all_but_the_last_layer(name: str) -> None:
    with torch.device("meta"):  # names only: no memory, no time
        model = build(name)
    freeze(model, ["body"])
    learning = {own for own, p in model.named_parameters() if p.requires_grad}
    assert learning == head_tensors(model) & dict(model.named_parameters()).keys()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stage9", r"no 'stage9' with weights; did you mean 'stage\d'\? its parts are stage1, "),
        ("flatten", "no 'flatten' with weights"),
        ("fc", r"fc holds the last layer \(fc.weight\), which has to learn"),
        ("fc.weight", "holds the last layer"),
        ("stage1.", "no 'stage1.' with weights; did you mean 'stage1'"),
    ],
)
def test_a_name_without_weights_and_the_last_layer_are_refused(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        freeze(build(), [name])
    assert len(str(caught.value).splitlines()) == 1


def test_frozen_batch_norm_computes_as_in_evaluation_and_the_rest_as_in_training() -> None:
    model = build()
    freeze(model, ["stage1", "stage3.bn.weight"])
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.fill_(3.0)
    train_mode(model)(torch.rand(4, 3, 32, 32))
    moved = {name for name, m in model.named_modules()
             if isinstance(m, nn.BatchNorm2d) and not m.running_mean.eq(3.0).all()}  # fmt: skip
    every = {name for name, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)}
    assert every - moved == {"stage1.bn"}  # the scale of stage3 is frozen, its shift learns
    assert model.training
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    assert all(m.training for m in train_mode(model).modules())


def test_settings_without_effect_are_named() -> None:
    def said(**settings: object) -> list[str]:
        return FineTuningConfig.model_validate(settings).warnings(epochs=3)

    assert said(freeze=["stage1"], head_first_epochs=2, body_lr=0.1) == []
    assert "the other settings of fine_tuning have no effect" in said(
        freeze=["body"], body_lr=0.1
    )[0]  # fmt: skip
    assert "only the last layer ever learns" in said(head_first_epochs=3)[0]
