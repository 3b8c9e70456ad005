from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

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
    assert "10 of 10 tensors agree with the slope of the loss" in outcome.stderr


def test_a_wrong_backward_pass_ends_with_1_and_one_clear_line(
    cnn_train: Run, tiny_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LinearConfig, "build", lambda *_: DoubledBackward(3 * 16 * 16, 10))
    options = ("--set", "regularization={kind: none}")
    outcome = cnn_train("gradcheck", "-c", tiny_config, *options)
    assert outcome.exit_code == 1
    error = outcome.stderr.splitlines()[-1]
    assert error.startswith("error: the backward pass is wrong in 2 of 2 tensors (weight, bias): ")
    slope, backward = (float(word) for word in (error.split()[-6].rstrip(","), error.split()[-1]))
    assert backward == pytest.approx(2 * slope, rel=1e-3)
    failed = cnn_train("gradcheck", "-c", tiny_config, *options, "--json")
    assert failed.exit_code == 1 and failed.document["passed"] is False


def test_json_is_one_document_with_every_entry(cnn_train: Run, tiny_config: Path) -> None:
    options = ("--json", "--samples", 2, "--layer", "fc")
    document = cnn_train("gradcheck", "-c", tiny_config, *options).document
    assert (document["model"], document["loss"]) == ("linear", "cross_entropy")
    assert document["passed"] is True
    weight, bias = document["tensors"]
    assert (weight["name"], weight["shape"]) == ("fc.weight", [10, 768])
    assert len(weight["entries"]) == len(bias["entries"]) == 2
    assert weight["largest_error"] == max(entry["error"] for entry in weight["entries"])


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
