"""Each trained model that ships is what its card says."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from cnn_train.checkpoints.checkpoint import CheckpointFile, open_checkpoint
from cnn_train.checkpoints.pretrained import FOLDER, ModelCard, find_card, list_cards
from cnn_train.config.loading import load_experiment
from cnn_train.experiment import ExperimentConfig
from cnn_train.inference.trained_model import load_trained_model

NAMES = sorted(card.name for card in list_cards())


@dataclass(frozen=True)
class Shipped:
    card: ModelCard
    file: CheckpointFile

    @property
    def config(self) -> ExperimentConfig:
        return ExperimentConfig.model_validate(self.file.checkpoint.config)


@pytest.fixture(params=NAMES)
def shipped(request: pytest.FixtureRequest) -> Shipped:
    card = find_card(request.param)
    return Shipped(card, open_checkpoint(Path(card.address)))


def test_every_file_has_a_card_and_nothing_else_lies_there() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {
        f"{name}.{ending}" for name in NAMES for ending in ("ckpt", "md")
    }
    assert {"speedrun", "lenet", "linear"} <= set(NAMES)


def test_the_card_names_this_very_file(shipped: Shipped) -> None:
    facts, file = shipped.card.facts, shipped.file
    assert facts["SHA-256"] == file.digest
    assert facts["size"] == f"{file.num_bytes / 1e6:.2f} MB, {file.weights_precision}"
    assert shipped.card.text.startswith(f"# {shipped.card.name}\n")


def test_the_card_names_the_recipe_that_is_in_the_file(shipped: Shipped) -> None:
    recipe = load_experiment(shipped.card.facts["config"], (), ExperimentConfig)
    apart = {"data", "seed"}
    assert shipped.config.model_dump(exclude=apart) == recipe.model_dump(exclude=apart)
    assert shipped.card.facts["seed"] == str(shipped.config.seed)


def test_the_card_counts_parameters_images_and_classes(shipped: Shipped) -> None:
    facts, checkpoint = shipped.card.facts, shipped.file.checkpoint
    model = load_trained_model(Path(shipped.card.address), "cpu").model
    count = sum(parameter.numel() for parameter in model.parameters())
    assert facts["model"] == f"{shipped.config.model.name}, {count:,} parameters"
    assert facts["classes"] == ", ".join(checkpoint.class_names)
    assert f"trained on {len(checkpoint.training_images):,} images" in facts["data"]


def test_the_card_has_accuracy_with_its_interval_and_number_of_images(shipped: Shipped) -> None:
    fact = shipped.card.facts["test accuracy"]
    assert re.fullmatch(
        r"\d\d\.\d+ % \(95 % interval \d\d\.\d+ to \d\d\.\d+ %; [\d,]+ images, n = 1\)", fact
    )
    low, high = map(float, re.findall(r"(\d+\.\d+) to (\d+\.\d+)", fact)[0])
    assert low < 100 * shipped.card.accuracy < high
    assert {"hardware", "licence"} <= shipped.card.facts.keys()
    for told in ("JPEG", "is not for", "checkpoint slim", "cnn-train fit --config", "evaluate"):
        assert told in shipped.card.text, told


def test_a_file_is_measured_on_cifar10_and_holds_no_path_of_another_machine(
    shipped: Shipped,
) -> None:
    data = shipped.config.data
    assert data.name == "cifar10" and data.model_dump()["path"] is None
    content = (FOLDER / f"{shipped.card.name}.ckpt").read_bytes()
    assert re.findall(rb"/(?:tmp|home|root|work|mnt|var|usr|Users)/[\w./-]*", content) == []


def test_a_file_takes_images_of_its_size_and_gives_finite_scores(shipped: Shipped) -> None:
    trained = load_trained_model(Path(shipped.card.address), "cpu")
    images = torch.randint(256, (4, *trained.image_shape), dtype=torch.uint8)
    scores = trained.scores(images)
    assert scores.shape == (4, 10) and scores.isfinite().all()
    assert scores.std() > 0.01  # it is trained, and the four are told apart
