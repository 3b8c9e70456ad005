from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn

from cnn_train.models.linear import LinearConfig

Run = Callable[..., Any]

CHECKS = ["initial loss", "gradients", "regularisation", "20 images by heart"]


class Constant(nn.Linear):
    """Gives every image the same scores."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(0 * images.flatten(1))


@pytest.fixture
def broken_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LinearConfig, "build", lambda *_: Constant(3 * 16 * 16, 10))


def test_every_run_says_its_first_loss_beside_that_of_guessing(
    cnn_train: Run, tiny_config: Path
) -> None:
    outcome = cnn_train("fit", "--config", tiny_config, "--set", "epochs=1")
    (line,) = (line for line in outcome.stderr.splitlines() if line.startswith("first loss"))
    assert line.endswith("before the first update; guessing costs 2.303")
    assert 1.7 < float(line.split()[2]) < 2.9
    assert "warning: an untrained network" not in outcome.stderr


def test_a_first_loss_far_from_guessing_is_a_warning(
    cnn_train: Run, tiny_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*_: object) -> nn.Module:
        layer = nn.Linear(3 * 16 * 16, 10)
        layer.weight.data.mul_(100)
        return nn.Sequential(nn.Flatten(), layer)

    monkeypatch.setattr(LinearConfig, "build", build)
    outcome = cnn_train("fit", "--config", tiny_config, "--set", "epochs=1")
    assert outcome.exit_code == 0
    assert "warning: an untrained network should start near guessing" in outcome.stderr


def test_a_resumed_run_and_one_from_given_weights_expect_no_guessing(
    cnn_train: Run, tiny_config: Path
) -> None:
    first = cnn_train("fit", "-c", tiny_config, "--set", "epochs=1", "--json").document
    longer = ("--set", "epochs=2", "--allow-config-change", "epochs")
    resumed = cnn_train("fit", "-c", tiny_config, "--resume", first["run_dir"], *longer)
    assert resumed.exit_code == 0, resumed.stderr
    assert "first loss" not in resumed.stderr
    tuned = cnn_train("fit", "-c", tiny_config, "--weights", first["run_dir"], "--sanity")
    assert "first loss" in tuned.stderr and "FAILED" not in tuned.stderr


def test_sanity_shows_every_check_and_the_run_goes_on(cnn_train: Run, tiny_config: Path) -> None:
    outcome = cnn_train("fit", "-c", tiny_config, "--sanity", "--set", "epochs=1", "--json")
    assert outcome.exit_code == 0, outcome.stderr
    assert all(f"\n{name}" in outcome.stderr for name in CHECKS)
    document = outcome.document
    assert [one["check"] for one in document["sanity"]] == CHECKS
    assert {one["outcome"] for one in document["sanity"]} == {"passed"}
    assert document["epochs"] == 1


@pytest.mark.usefixtures("broken_model")
def test_a_failed_check_warns_with_its_meaning_and_the_run_goes_on(
    cnn_train: Run, tiny_config: Path
) -> None:
    outcome = cnn_train("fit", "-c", tiny_config, "--sanity", "--set", "epochs=1")
    assert outcome.exit_code == 0
    assert "warning: gradients: this usually means: zero: a layer is dead" in outcome.stderr
    assert "warning: 20 images by heart: " in outcome.stderr
    assert "next: cnn-train evaluate" in outcome.stderr


@pytest.mark.usefixtures("broken_model")
def test_a_dry_run_only_checks_and_a_failure_is_exit_1_in_one_line(
    cnn_train: Run, tiny_config: Path
) -> None:
    before = set(tiny_config.parent.iterdir())
    outcome = cnn_train("fit", "-c", tiny_config, "--sanity", "--dry-run", "--json")
    assert outcome.exit_code == 1
    assert outcome.stderr.splitlines()[-1] == (
        "error: sanity: 2 of 4 checks failed: gradients, 20 images by heart"
    )
    assert [one["outcome"] for one in outcome.document["sanity"]] == [
        "passed", "failed", "passed", "failed",
    ]  # fmt: skip
    assert set(tiny_config.parent.iterdir()) == before
