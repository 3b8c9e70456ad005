"""A shipped config is found by its name, in a clone and in an installed wheel."""

import subprocess
import sys
import tomllib
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

from cnn_train.config.shipped import Header, read_header, shipped_configs
from cnn_train.config.source import read_text
from cnn_train.errors import ConfigError

REPOSITORY = Path(__file__).parents[2]
CONFIGS = REPOSITORY / "configs"
READ_ONE = "from cnn_train.config.source import read_text; print(read_text('resnet20'), end='')"


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(config: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_text(config)
    return str(caught.value)


@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.yaml")))
def test_a_bare_name_reads_the_shipped_config(empty_folder: Path, name: str) -> None:
    assert read_text(name) == (CONFIGS / f"{name}.yaml").read_text("utf-8")


def test_a_file_of_that_name_wins(empty_folder: Path) -> None:
    (empty_folder / "resnet20").write_text("epochs: 3\n")
    assert read_text("resnet20") == "epochs: 3\n"


def test_an_unknown_name_is_refused_with_the_nearest_and_with_all(empty_folder: Path) -> None:
    message = refusal("restnet20")
    assert message.startswith("restnet20: no such config file; did you mean 'resnet20'? these ship")
    assert message.endswith(": " + ", ".join(shipped_configs()))
    assert "did you mean" not in refusal("zzzzzz")


def test_a_path_to_a_shipped_config_that_is_not_there_tells_its_name(empty_folder: Path) -> None:
    assert refusal("configs/resnet20.yaml") == (
        "configs/resnet20.yaml: no such config file; did you mean 'resnet20', which ships with "
        "cnn-train?"
    )


def test_a_header_is_read_to_its_end_and_no_further() -> None:
    text = "# A net: small.\n# Measured: 5 s;\n#           90 %\n# GPU:   1 s\nepochs: 3\n# No: x\n"
    assert read_header(text) == Header("A net: small.", {"Measured": "5 s; 90 %", "GPU": "1 s"})
    assert read_header("epochs: 3\n") == Header("", {})


def test_without_a_clone_the_configs_lie_inside_the_package(empty_folder: Path) -> None:
    """As hatch lays them there: see the table in pyproject.toml."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    placed = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    copytree(REPOSITORY / "cnn_train", empty_folder / "cnn_train", ignore=ignore_patterns("*.pyc"))
    for source, target in placed.items():
        copytree(REPOSITORY / source, empty_folder / target)
    ended = subprocess.run(
        [sys.executable, "-c", READ_ONE],
        env={"PYTHONPATH": str(empty_folder)},
        cwd=empty_folder,
        capture_output=True,
        text=True,
    )
    assert ended.stdout == read_text("resnet20"), ended.stderr
