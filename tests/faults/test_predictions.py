"""No answer may depend on which images share a minibatch, nor on a forgotten mode."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cnn_train.data.image_set import ImageSet
from cnn_train.data.normalization import Normalization
from cnn_train.evaluation.evaluate import evaluate
from cnn_train.experiment import ExperimentConfig
from cnn_train.inference.trained_model import TrainedModel
from cnn_train.machine.device import Device, Precision

Run = Callable[..., Any]

TOLERANCE = 1e-5
"""Of the largest score: float32 sums in another order. 2.8e-6 was seen (AVX2, one thread)."""

NETWORKS: dict[str, dict[str, Any]] = {
    "batch norm and shortcuts": {"name": "resnet20", "width": 4},
    "dropout": {"name": "mlp", "hidden_sizes": [16], "dropout": 0.5},
    "separable": {"name": "mobilenet_v2", "width_multiplier": 0.25},
    "fast": {"name": "fastnet", "widths": [4, 8, 8, 8]},
    "lenet": {"name": "lenet"},
}


def make_trained(model: dict[str, Any]) -> TrainedModel:
    """Build an untrained network whose batch statistics are not those of a fresh one."""
    config = ExperimentConfig.model_validate({"model": model})
    torch.manual_seed(0)
    network = config.model.build(10, (3, 32, 32))
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d) and module.running_var is not None:
            module.running_var.uniform_(0.5, 2.0, generator=generator)
    for parameter in network.parameters():  # the last layer starts at almost zero: equal answers
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
    return TrainedModel(
        network.eval(), tuple("abcdefghij"), (3, 32, 32), Normalization((0.5,) * 3, (0.25,) * 3),
        config, Device(torch.device("cpu"), ""), Precision(torch.float32, ""), {}, 1, None,
    )  # fmt: skip


@pytest.fixture(scope="module")
def images() -> ImageSet:
    """513 images: in minibatches of 512 the last holds a single one."""
    generator = torch.Generator().manual_seed(0)
    return ImageSet(
        torch.randint(256, (513, 3, 32, 32), dtype=torch.uint8, generator=generator),
        torch.randint(10, (513,), generator=generator),
        tuple("abcdefghij"),
        tuple(map(str, range(513))),
    )


@pytest.mark.parametrize("network", NETWORKS)
def test_an_image_alone_gets_the_answer_that_it_gets_among_512(
    images: ImageSet, network: str
) -> None:
    trained = make_trained(NETWORKS[network])
    together_NK = trained.scores(images.images_NCHW, batch_size=512)
    mean_K = together_NK.mean(dim=0)  # an untrained network has a favourite class
    bound = TOLERANCE * together_NK.abs().max()
    for i in (0, 1, 255, 511, 512):
        alone_K = trained.scores(images.images_NCHW[i : i + 1])[0]
        assert alone_K.argmax() == together_NK[i].argmax()
        assert (alone_K - mean_K).argmax() == (together_NK[i] - mean_K).argmax()
        assert (alone_K - together_NK[i]).abs().max() <= bound
    assert together_NK.std(dim=0).min() > 10 * bound
    assert len((together_NK - mean_K).argmax(dim=1).unique()) > 1


@pytest.mark.parametrize("network", ["batch norm and shortcuts", "dropout"])
def test_the_batch_size_changes_neither_answers_nor_accuracy(
    images: ImageSet, network: str
) -> None:
    trained = make_trained(NETWORKS[network])
    some = replace(
        images,
        images_NCHW=images.images_NCHW[:101],
        labels_N=images.labels_N[:101],
        names=images.names[:101],
    )
    expected = evaluate(trained, some, batch_size=512)
    for batch_size in (1, 7, 100):  # the last minibatch of 7 holds 3 images, that of 100 one
        result = evaluate(trained, some, batch_size=batch_size)
        assert result.accuracy == expected.accuracy
        assert torch.equal(result.predicted_N, expected.predicted_N)
        difference_NK = (result.scores_NK - expected.scores_NK).abs()
        assert difference_NK.max() <= TOLERANCE * expected.scores_NK.abs().max()


def test_a_network_left_in_training_mode_answers_as_in_use(images: ImageSet) -> None:
    trained = make_trained(NETWORKS["dropout"])
    expected_NK = trained.scores(images.images_NCHW)
    trained.model.train()
    assert torch.equal(trained.scores(images.images_NCHW), expected_NK)
    assert trained.model.training


@pytest.mark.parametrize(
    ("settings", "exit_code", "said"),
    [
        (["batch_size=49"], 0, "the last minibatch takes 50 images, one more than batch_size"),
        (
            ["batch_size=1", "model={name: resnet20, width: 2}"],
            0,
            "batch norm sees one image at a time",
        ),
        (
            ["batch_size=1", "model={name: fastnet, widths: [2, 2, 2, 2]}"],
            2,
            "batch_size: a minibatch of one image gives this network's batch norm a single value",
        ),
    ],
)
def test_a_minibatch_of_one_image_is_said_or_refused(
    run_main: Run, trained: Path, settings: list[str], exit_code: int, said: str
) -> None:
    options = [f"--set={setting}" for setting in settings]
    ended = run_main(
        "fit", "--config", trained / "tiny.yaml", "--run-root", trained / "ones",
        "--limit-batches", 2, *options,
    )  # fmt: skip
    assert ended.exit_code == exit_code
    assert said in ended.stderr


def test_minibatches_of_more_than_one_image_are_not_warned_of(run_main: Run, trained: Path) -> None:
    ended = run_main("fit", "--config", trained / "tiny.yaml", "--dry-run")
    assert "minibatch" not in ended.stderr
    assert "batch norm" not in ended.stderr
