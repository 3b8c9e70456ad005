"""What the README, the page of commands and CONTRIBUTING show is what the program does.

In docs/commands.md the word after ``console`` says what becomes of an example here: without one
it is run and compared, a ``measured`` one is run on a tiny model and not compared, a ``long`` one
is only parsed, and the tests of its command run it.
"""

import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from in_process import run_here
from pydantic import Field
from torch import nn
from typer.main import get_command

from cnn_train import load_model
from cnn_train.cli.main import app
from cnn_train.config.loading import load_experiment
from cnn_train.config.shipped import shipped_configs
from cnn_train.data.image_set import ImageSet
from cnn_train.errors import CnnTrainError
from cnn_train.experiment import ExperimentConfig
from cnn_train.lecture import chapters
from cnn_train.lecture.chapters import find_blocks, run_command
from cnn_train.models.architecture import ArchitectureConfig

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text("utf-8")
COMMANDS = (REPOSITORY / "docs" / "commands.md").read_text("utf-8")
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md"]
PAGES += sorted([*(REPOSITORY / "docs").glob("*.md"), *(REPOSITORY / "cnn_train").glob("*/*.md")])
EXAMPLES = [block for block, _ in find_blocks(COMMANDS)]

TINY = """
data: {name: shapes, num_train: 60, num_test: 20}
model: {name: fastnet, widths: [8, 16, 16, 32]}
batch_size: 20
epochs: 1
precision: float32
"""


@cache
def program() -> Any:
    """Return the root of the command line, with its commands."""
    return get_command(app)


def code_blocks(page: str) -> list[tuple[str, str]]:
    """Return each code block of a page: its language, and its text."""
    return re.findall(r"^```(\w*)[^\n]*\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def code_block(page: str, language: str, words: str) -> str:
    """Return the one code block of a language that holds some words."""
    (block,) = (text for name, text in code_blocks(page) if name == language and words in text)
    return block


def shown_commands(page: str) -> list[list[str]]:
    """Return the words after ``cnn-train``, or torchrun's name for it, of every command shown."""
    blocks = [text for language, text in code_blocks(page) if language in ("bash", "console")]
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    commands = [re.sub(r"^\$ |^torchrun .* -m (?=cnn_train )", "", line) for line in lines]
    words = [shlex.split(one, comments=True) for one in commands if re.match("cnn.train ", one)]
    return [one[1 : one.index(">")] if ">" in one else one[1:] for one in words]


def follow(words: list[str]) -> tuple[list[str], Any, list[str]]:
    """Return the names that lead to a command, the command, and the arguments it gets."""
    names, command = list[str](), program()
    while words and words[0] in getattr(command, "commands", {}):
        names.append(words[0])
        command, words = command.commands[words[0]], words[1:]
    return names, command, words


def leaves(command: Any, *names: str) -> Iterator[tuple[str, ...]]:
    """Yield the names of every command that does something by itself."""
    inner = getattr(command, "commands", {})
    if not inner or command.invoke_without_command:
        yield names
    for name in inner:
        yield from leaves(inner[name], *names, name)


@pytest.mark.parametrize(
    "words",
    [pytest.param(words, id=" ".join(words)) for page in PAGES
     for words in shown_commands(page.read_text("utf-8"))],
)  # fmt: skip
def test_every_command_shown_is_one_that_the_program_takes(words: list[str]) -> None:
    names, command, arguments = follow(words)
    with command.make_context(" ".join(names), arguments) as context:
        config = context.params.get("config")
    if config and not str(config).endswith(".yaml"):
        assert str(config) in shipped_configs()


def test_every_command_has_an_example_on_its_page() -> None:
    shown = {tuple(follow(words)[0]) for words in shown_commands(COMMANDS)}
    assert set(leaves(program())) - shown == set()


def test_the_exit_codes_shown_are_those_of_the_errors() -> None:
    rows = re.findall(r"^\| (\d+(?:, \d+)*) \|", COMMANDS, re.MULTILINE)
    shown = {int(code) for row in rows for code in row.split(", ")}
    kinds = [CnnTrainError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert shown == {kind.exit_code for kind in kinds} | {0, 143}


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str | CnnTrainError]:
    """Run the commands of the page one after the other; return what each prints, or its failure.

    A file called ``quickstart`` goes before the shipped config, and trains in a moment.
    """
    place = tmp_path_factory.mktemp("commands")
    (place / "quickstart").write_text(TINY)

    def run(command: str) -> str | CnnTrainError:
        try:
            return run_command(command, place)
        except CnnTrainError as failure:
            return failure

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chapters, "run_process", run_here)
        blocks = [block for block in EXAMPLES if block.kind != "long"]
        return {command: run(command) for block in blocks for command in block.commands()}


def shown_outputs() -> list[tuple[str, list[str]]]:
    """Return the commands that print the same everywhere, each with the lines shown below it."""
    texts = [block.text for block in EXAMPLES if not block.kind]
    parts = [part.splitlines() for text in texts for part in re.split(r"^\$ ", text, flags=re.M)]
    return [(lines[0], lines[1:]) for lines in parts if lines]


def test_every_example_runs(outcomes: dict[str, str | CnnTrainError]) -> None:
    failures = {name: outcome for name, outcome in outcomes.items() if not isinstance(outcome, str)}
    assert len(outcomes) >= 35
    assert failures == {}


@pytest.mark.parametrize(("command", "lines"), shown_outputs())
def test_an_example_prints_the_lines_shown_in_their_order(
    outcomes: dict[str, str | CnnTrainError], command: str, lines: list[str]
) -> None:
    rest = iter(str(outcomes[command]).splitlines())
    shown = [line for line in lines if line not in ("", "…")]
    assert shown
    assert [line for line in shown if line not in rest] == []


def test_the_python_example_trains_and_predicts(
    make_images: Callable[..., ImageSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # it saves a file
    source = code_block(README, "python", "from cnn_train import")
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
    assert load_model("my.ckpt").class_names == images.class_names


def test_the_example_of_an_architecture_builds() -> None:
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
    contributing = (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8")
    exec(code_block(contributing, "python", "ArchitectureConfig"), names)
    model = names["MyNetConfig"](width=4).build(10, (3, 8, 8))
    assert model(torch.zeros(2, 3, 8, 8)).shape == (2, 10)


def test_the_example_of_a_config_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "readme.yaml"
    path.write_text(code_block(README, "yaml", "regularization:"))
    config = load_experiment(path, (), ExperimentConfig)
    assert config.warnings() == []
    assert config.model.name == "vgg16"


def test_every_command_has_a_line_in_the_table() -> None:
    rows = set(re.findall(r"^\| \[`([\w-]+)`\]", README, re.MULTILINE))
    assert rows == set(program().commands)


def test_the_tree_names_the_packages_the_files_at_the_root_and_the_folders() -> None:
    tree = code_block(README, "", "cnn_train/  ")
    package = REPOSITORY / "cnn_train"
    files = {path.name for path in package.glob("*.py")}
    packages = {path.parent.name for path in package.glob("*/__init__.py")}
    assert set(re.findall(r"\w+\.py\b", tree)) == files
    assert set(re.findall(r"^  (\w+)/", tree, re.MULTILINE)) == packages
    folders = set(re.findall(r"^(\w+)/", tree, re.MULTILINE))
    assert folders == {"cnn_train", "configs", "docs", "scripts", "tests"}
    assert all((REPOSITORY / folder).is_dir() for folder in folders)


def test_the_readme_is_read_in_a_few_minutes() -> None:
    assert len(README.splitlines()) <= 185
