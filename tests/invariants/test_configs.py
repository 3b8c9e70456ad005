"""Every config that ships loads, builds and takes a step, and its header says what it gives."""

import re
from pathlib import Path

import pytest
import torch

from cnn_train.config.loading import load_experiment
from cnn_train.config.shipped import read_header
from cnn_train.data.image_set import ImageSet
from cnn_train.experiment import ExperimentConfig
from cnn_train.machine.device import resolve_device
from cnn_train.metrics.tally import Tally
from cnn_train.training.building import build_session

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
MAX_LINES = 30

SHIPPED = {
    "quickstart", "fast_cpu", "linear_hinge", "linear_cross_entropy", "hog_linear", "lenet_hinge",
    "lenet_cross_entropy", "vgg16_hinge", "vgg16_cross_entropy", "resnet18", "resnet20",
    "wrn28_10", "speedrun_cpu", "speedrun_gpu", "speedrun96_gpu",
}  # fmt: skip

every_config = pytest.mark.parametrize("path", CONFIGS, ids=[path.stem for path in CONFIGS])


def load(path: Path) -> ExperimentConfig:
    return load_experiment(path, (), ExperimentConfig)


def two_images() -> ImageSet:
    """Make two random CIFAR-sized images, one of each class: the largest nets still take a step."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (2, 3, 32, 32), generator=generator, dtype=torch.uint8)
    return ImageSet(pixels, torch.tensor([0, 1]), ("a", "b"), ("1", "2"))


def test_the_promised_configs_are_there() -> None:
    assert {path.stem for path in CONFIGS} >= SHIPPED


@every_config
def test_a_config_is_short_and_uses_no_setting_in_vain(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES
    assert load(path).warnings() == []


@every_config
def test_a_header_gives_command_measured_time_and_accuracy_hardware_and_data(path: Path) -> None:
    lines = path.read_text().splitlines()
    comments = [line for line in lines if line.startswith("#")]
    assert lines[: len(comments)] == comments
    header = read_header(path.read_text())
    facts = header.facts
    assert header.summary.endswith(".")
    assert facts.keys() >= {"Command", "Measured", "Hardware", "Data"}
    assert f"cnn-train fit --config configs/{path.name}" in facts["Command"]
    assert re.search(r"\d\.\d+ ?%|0\.\d+", facts["Measured"]), "give the measured accuracy"
    assert re.search(r"\d ?(s|min|h|seconds|minutes|hours)\b", facts["Measured"]), "give the time"


@every_config
def test_a_config_builds_and_takes_one_step(path: Path) -> None:
    images = two_images()
    session = build_session(load(path), images, images, resolve_device("cpu"))
    before = [parameter.detach().clone() for parameter in session.model.parameters()]
    total = Tally.zero()
    for tally in session.train_rest_of_epoch():
        total += tally
    assert total.num_examples == 2
    assert torch.tensor(total.loss + total.penalty).isfinite()
    after = list(session.model.parameters())
    assert all(bool(parameter.isfinite().all()) for parameter in after)
    assert not all(map(torch.equal, before, after))
