"""``cnn-train fit`` from torchvision's published weights, and with layers that keep theirs."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models import get_model

from cnn_train.checkpoints.checkpoint import load_checkpoint

Run = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("no_pictures")

MODEL = "model={name: torchvision, architecture: squeezenet1_1, weights: DEFAULT}"


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """A network of 1000 classes whose file lies in torch's cache, as if it were torchvision's."""
    torch.manual_seed(0)
    network = get_model("squeezenet1_1", num_classes=1000)
    cache = tmp_path / "torch" / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    torch.save(network.state_dict(), cache / "new.pth")
    digest = hashlib.sha256((cache / "new.pth").read_bytes()).hexdigest()
    (cache / "new.pth").rename(cache / f"squeezenet1_1-{digest[:8]}.pth")

    preset = SimpleNamespace(crop_size=[64], mean=(0.5, 0.25, 0.125), std=(0.1, 0.2, 0.3))
    url = f"https://example.org/squeezenet1_1-{digest[:8]}.pth"
    table = {"IMAGENET1K_V1": SimpleNamespace(url=url, transforms=lambda: preset)}
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(
        "cnn_train.training.fine_tuning.published_weights", lambda architecture: table
    )
    return network


def errors(outcome: Any) -> list[str]:
    assert "Traceback" not in outcome.stderr
    return [line for line in outcome.stderr.splitlines() if line.startswith("error: ")]


@pytest.fixture
def begin(tiny_config: Path) -> list[object]:
    return ["fit", "--config", tiny_config, "--set", MODEL, "--set", "data.image_size=32",
            "--set", "epochs=1", "--offline"]  # fmt: skip


def test_published_weights_start_a_run_with_their_stem_their_normalization_and_a_new_head(
    cnn_train: Run, begin: list[object], published: nn.Module
) -> None:
    outcome = cnn_train(*begin, "--set", "fine_tuning.freeze=[body]")
    assert outcome.exit_code == 0
    assert "drawn anew: classifier.1.weight, classifier.1.bias" in outcome.stderr
    assert "normalised by mean 0.5000 0.2500 0.1250, std 0.1000 0.2000 0.3000" in outcome.stderr
    assert "trained on images of 64×64, these are 32×32" in outcome.stderr
    assert "learns  5,130 of 727,626 parameters" in outcome.stderr
    trained = load_checkpoint(Path("runs/latest/last.ckpt"))
    for name, value in published.state_dict().items():
        assert name.startswith("classifier") or torch.equal(trained.model[name], value)
    assert trained.config["model"]["weights"] == "IMAGENET1K_V1"
    assert trained.normalization["std"] == [0.1, 0.2, 0.3]
    environment = json.loads(Path("runs/latest/environment.json").read_text())
    assert "/squeezenet1_1-" in environment["weights_from"]
    assert len(environment["weights_sha256"]) == 64


def test_weights_are_asked_for_where_a_run_begins_and_nowhere_else(
    cnn_train: Run, begin: list[object], published: nn.Module, tmp_path: Path
) -> None:
    assert cnn_train(*begin).exit_code == 0
    (file,) = (tmp_path / "torch" / "hub" / "checkpoints").iterdir()
    file.unlink()
    run = "runs/latest"
    for command in (
        ["evaluate", run],
        ["checkpoint", "show", run],
        ["fit", "--resume", run, "--set", "epochs=2", "--allow-config-change", "epochs"],
        ["config", "show", "runs/latest/resolved.yaml"],
        [
            "fit",
            *begin[1:],
            "--dry-run",
            "--weights",
            run,
            "--set",
            "model={name: torchvision, architecture: squeezenet1_1, stem: original}",
        ],
        ["fit", *begin[1:], "--dry-run", "--weights", run],
    ):
        outcome = cnn_train(*command)
        assert outcome.exit_code == 0, (command, outcome.stderr)
        assert "were trained with another network" not in outcome.stderr, outcome.stderr
    outcome = cnn_train(*begin)
    assert outcome.exit_code == 4
    (line,) = errors(outcome)
    assert "--offline forbids to download it: get https://example.org/squeezenet1_1-" in line


def test_find_lr_starts_from_the_published_weights_as_fit_does(
    cnn_train: Run, begin: list[object], published: nn.Module
) -> None:
    published_weights = cnn_train("find-lr", *begin[1:], "--updates", "20", "--to", "1e-3")
    assert published_weights.exit_code == 0
    assert "drawn anew: classifier.1.weight, classifier.1.bias" in published_weights.stderr


def test_a_file_that_is_not_torchvisions_is_refused_before_it_is_read(
    cnn_train: Run, begin: list[object], published: nn.Module, tmp_path: Path
) -> None:
    (file,) = (tmp_path / "torch" / "hub" / "checkpoints").iterdir()
    torch.save(get_model("squeezenet1_1", num_classes=1000).state_dict(), file)
    outcome = cnn_train(*begin, "--json")
    assert outcome.exit_code == outcome.document["error"]["code"] == 4
    assert "damaged, or not torchvision's file" in outcome.document["error"]["message"]
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "model.weights=IMAGENET1K_V7",
            "no 'IMAGENET1K_V7' of squeezenet1_1; choose none, IMAGENE",
        ),
        ("model.stem=small", "are for the published first layers: set stem: original"),
        ("model.architecture=googlenet", "normalises images inside the network"),
        ("fine_tuning.freeze=[features.99]", "no 'features.99' with weights; did you mean"),
        ("fine_tuning.freeze=[classifier]", "holds the last layer"),
        ("fine_tuning.freeze=body", "expected a list"),
        ("fine_tuning.body_lr=0", "> 0 and <= 1"),
    ],
)
def test_what_means_nothing_is_refused_in_one_line(
    cnn_train: Run, begin: list[object], published: nn.Module, change: str, message: str
) -> None:
    outcome = cnn_train(*begin, "--set", change)
    assert outcome.exit_code == 2
    (line,) = errors(outcome)
    assert message in line


def test_layers_that_were_never_trained_are_not_kept_without_a_warning(
    cnn_train: Run, tiny_config: Path
) -> None:
    settings = ["--set", "model={name: mlp, hidden_sizes: [5]}", "--set",
                "fine_tuning.freeze=[body]"]  # fmt: skip
    outcome = cnn_train("fit", "--config", tiny_config, *settings, "--dry-run")
    assert outcome.exit_code == 0
    assert "warning: fine_tuning: no weights are given" in outcome.stderr


def test_a_profile_is_of_the_steps_in_which_all_learn(cnn_train: Run, tiny_config: Path) -> None:
    settings = ["--set", "model={name: mlp, hidden_sizes: [5]}", "--batches", "1", "--json"]
    begin = ["profile", "--config", tiny_config, *settings]
    whole, first, frozen = (
        cnn_train(*begin, "--set", f"fine_tuning={{{setting}}}").document["flops_per_image"]
        for setting in ("", "head_first_epochs: 1", "freeze: [body]")
    )
    assert whole == first
    assert frozen["training"] < whole["training"]
