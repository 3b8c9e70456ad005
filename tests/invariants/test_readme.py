"""What the README shows is what the program does."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from pydantic import Field
from torch import nn
from typer.main import get_command

from cnn_train.cli.main import app
from cnn_train.config.loading import load_experiment
from cnn_train.data.image_set import ImageSet
from cnn_train.experiment import ExperimentConfig
from cnn_train.models.architecture import ArchitectureConfig


@pytest.fixture(scope="module")
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def blocks(readme: str) -> Callable[[str, str], str]:
    """Return a function that finds the one code block of a language that holds some words."""

    def find(language: str, words: str) -> str:
        found = re.findall(rf"^```{language}\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
        (block,) = (text for text in found if words in text)
        return str(block)

    return find


@pytest.fixture(scope="module")
def shell_commands(readme: str) -> list[list[str]]:
    """Return the words of every ``cnn-train`` command line in the README's shell blocks."""
    text = "".join(re.findall(r"^```bash\n(.*?)^```", readme, re.MULTILINE | re.DOTALL))
    lines = (shlex.split(line, comments=True) for line in text.splitlines())
    return [words for words in lines if words and words[0] == "cnn-train"]


def test_the_python_example_trains_and_predicts(
    blocks: Callable[[str, str], str], make_images: Callable[..., ImageSet]
) -> None:
    source = blocks("python", "from cnn_train import")
    reduced = re.sub(r"epochs=\d+", "epochs=1", source)
    assert reduced != source
    images = make_images(30, shape=(3, 32, 32))
    names: dict[str, Any] = {
        "images": images.images_NCHW.permute(0, 2, 3, 1).numpy(),
        "labels": [images.class_names[label] for label in images.labels_N],
        "test_images": make_images(6, shape=(3, 32, 32), seed=1).images_NCHW,
    }
    exec(reduced, names)
    assert len(names["test_labels"]) == 6
    assert set(names["test_labels"]) <= set(images.class_names)


def test_the_example_of_an_architecture_builds(blocks: Callable[[str, str], str]) -> None:
    class MyNet(nn.Module):
        def __init__(self, num_classes: int, image_shape: tuple[int, int, int], width: int) -> None:
            super().__init__()
            self.layers = nn.Sequential(
                nn.Conv2d(3, width, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                nn.Linear(width, num_classes),
            )  # fmt: skip

        def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
            scores_BK: torch.Tensor = self.layers(images_BCHW)
            return scores_BK

    names: dict[str, Any] = {
        "MyNet": MyNet, "ArchitectureConfig": ArchitectureConfig, "Field": Field,
        "Literal": Literal, "nn": nn,
    }  # fmt: skip
    exec(blocks("python", "ArchitectureConfig"), names)
    model = names["MyNetConfig"](width=4).build(10, (3, 8, 8))
    assert model(torch.zeros(2, 3, 8, 8)).shape == (2, 10)


def test_the_example_of_a_config_is_valid(
    blocks: Callable[[str, str], str], tmp_path: Path
) -> None:
    path = tmp_path / "readme.yaml"
    path.write_text(blocks("yaml", "regularization:"))
    config = load_experiment(path, (), ExperimentConfig)
    assert config.warnings() == []
    assert config.model.name == "vgg16"


def test_every_command_shown_exists_with_its_options(shell_commands: list[list[str]]) -> None:
    assert len(shell_commands) >= 3
    for words in shell_commands:
        command: Any = get_command(app)
        rest = words[1:]
        while rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest.pop(0)]
        known = {name for parameter in command.params for name in parameter.opts}
        used = {word.split("=")[0] for word in rest if word.startswith("--")}
        assert not hasattr(command, "commands"), words
        assert used <= known, words


def test_every_config_shown_ships(shell_commands: list[list[str]], repository: Path) -> None:
    configs = {word for words in shell_commands for word in words if word.endswith(".yaml")}
    assert configs
    assert all((repository / config).exists() for config in configs)


def test_every_command_has_a_line(readme: str) -> None:
    for name in get_command(app).commands:  # type: ignore[attr-defined]
        assert re.search(rf"^\| `{name}\b", readme, re.MULTILINE), f"{name} is missing"


def test_every_link_leads_somewhere(readme: str, repository: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", readme)
    assert links
    assert [link for link in links if not (repository / link).exists()] == []


def test_every_module_has_a_line_in_the_file_tree(readme: str, repository: Path) -> None:
    named = set(re.findall(r"\w+\.py\b", readme))
    ours = {path.name for path in (repository / "cnn_train").glob("*.py")} - {"__init__.py"}
    assert ours <= named
    real = {path.name for path in (repository / "cnn_train").rglob("*.py")}
    assert named - real <= {"mynet.py"}


def test_nothing_is_left_to_fill_in(readme: str) -> None:
    assert re.findall(r"^[A-Z]+_[A-Z_]+$|\b[A-Z]+_FIGURES\b", readme, re.MULTILINE) == []
