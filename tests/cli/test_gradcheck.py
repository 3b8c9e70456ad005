import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cnn_train.models.linear import LinearConfig

Run = Callable[..., Any]


class Doubled(torch.autograd.Function):
    """The identity, whose gradient is twice too large."""

    @staticmethod
    def forward(context: object, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(context: object, *slopes: Tensor) -> Tensor:
        return 2 * slopes[0]


class DoubledBackward(nn.Linear):
    """A linear classifier with a wrong backward pass."""

    def forward(self, images: Tensor) -> Tensor:
        scores: Tensor = Doubled.apply(super().forward(images.flatten(1)))
        return scores


def test_a_right_gradient_passes_and_the_page_names_every_tensor(
    cnn_train: Run, tiny_config: Path
) -> None:
    outcome = cnn_train("gradcheck", "-c", tiny_config, "--set", "model.name=lenet")
    assert outcome.exit_code == 0, outcome.stderr
    first_words = [line.split()[0] for line in outcome.stdout.splitlines()]
    assert first_words[1] == "parameter"
    assert {"conv1.weight", "conv2.bias", "fc.weight"} <= set(first_words)
    assert "all entries" in outcome.stdout
    assert (
        "10 of 10 tensors agree with the slope of the loss, each in up to 3 of its entries and "
        "along one direction through all of them"
    ) in outcome.stderr


def test_a_wrong_backward_pass_ends_with_1_and_one_clear_line(
    cnn_train: Run, tiny_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LinearConfig, "build", lambda *_: DoubledBackward(3 * 16 * 16, 10))
    options = ("--set", "regularization={kind: none}")
    outcome = cnn_train("gradcheck", "-c", tiny_config, *options)
    assert outcome.exit_code == 1
    error = outcome.stderr.splitlines()[-1]
    assert error.startswith("error: the backward pass is wrong in 2 of 2 tensors (weight, bias): ")
    numbers = re.search(r"has slope (\S+), the backward pass says (\S+);", error)
    assert numbers is not None
    slope, backward = map(float, numbers.groups())
    assert backward == pytest.approx(2 * slope, rel=1e-3)
    failed = cnn_train("gradcheck", "-c", tiny_config, *options, "--json")
    assert failed.exit_code == 1 and failed.document["passed"] is False


class Wrong(nn.Module):
    """A small network with a fault: in its activation, or in a row of its first gradient."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 16, 5), nn.Linear(16 * 12 * 12, 10)
        self.fault = fault

    def forward(self, images_BCHW: Tensor) -> Tensor:
        weight = self.conv.weight
        if self.fault == "row":
            weight = torch.cat([weight[:3], Doubled.apply(weight[3:4]), weight[4:]])
        features = F.conv2d(images_BCHW, weight, self.conv.bias).relu()
        if self.fault == "activation":
            features = Doubled.apply(features)
        scores: Tensor = self.fc(features.flatten(1))
        return scores


def test_a_wrong_activation_is_not_blamed_on_the_layer_before_it_alone(
    cnn_train: Run, tiny_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LinearConfig, "build", lambda *_: Wrong("activation"))
    outcome = cnn_train("gradcheck", "-c", tiny_config)
    assert outcome.exit_code == 1
    error = outcome.stderr.splitlines()[-1]
    assert "wrong in 2 of 4 tensors (conv.weight, conv.bias)" in error
    assert error.endswith("the fault lies in conv or between it and fc, the next layer that agrees")


def test_a_wrong_row_among_sixteen_is_caught_although_no_entry_of_it_was_drawn(
    cnn_train: Run, tiny_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LinearConfig, "build", lambda *_: Wrong("row"))
    outcome = cnn_train("gradcheck", "-c", tiny_config, "--samples", 1, "--json")
    assert outcome.exit_code == 1
    weight = outcome.document["tensors"][0]
    assert weight["entries"][0]["index"][0] != 3 and weight["entries"][0]["error"] < 1e-5
    assert weight["direction"]["error"] > 1e-3
    assert "(conv.weight): along a drawn direction conv.weight has slope" in outcome.stderr


def test_json_is_one_document_with_every_entry(cnn_train: Run, tiny_config: Path) -> None:
    options = ("--json", "--samples", 2, "--layer", "fc")
    document = cnn_train("gradcheck", "-c", tiny_config, *options).document
    assert (document["model"], document["loss"]) == ("linear", "cross_entropy")
    assert document["passed"] is True
    weight, bias = document["tensors"]
    assert (weight["name"], weight["shape"]) == ("fc.weight", [10, 768])
    assert len(weight["entries"]) == len(bias["entries"]) == 2
    slopes = [*weight["entries"], weight["direction"]]
    assert weight["largest_error"] == max(slope["error"] for slope in slopes)
    assert "index" in slopes[0] and "index" not in slopes[-1]


def test_an_unknown_layer_is_refused_with_the_choices(cnn_train: Run, tiny_config: Path) -> None:
    outcome = cnn_train("gradcheck", "-c", tiny_config, "--layer", "conv9")
    assert outcome.exit_code == 2
    assert "error: --layer conv9: no trained layer is called so; choose from fc" in outcome.stderr


@pytest.mark.parametrize(("strength", "drowned"), [(2.5e-4, []), (1e30, ["fc.weight"])])
def test_a_lambda_that_hides_the_datas_gradient_is_a_warning(
    cnn_train: Run, tiny_config: Path, strength: float, drowned: list[str]
) -> None:
    setting = f"regularization={{kind: l2, strength: {strength}}}"
    outcome = cnn_train("gradcheck", "-c", tiny_config, "--set", setting, "--json")
    assert outcome.document["drowned_by_penalty"] == drowned
    warned = "warning: in fc.weight the gradient of λR(W) drowns" in outcome.stderr
    assert warned == bool(drowned)
