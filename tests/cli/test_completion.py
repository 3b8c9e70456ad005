"""What a shell completes, asked as a shell asks; nothing heavy is imported for it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cnn_train.cli.completion import complete_models, complete_runs
from cnn_train.models import ARCHITECTURES
from cnn_train.runs.directory import RunDirectory

Run = Callable[..., Any]


@pytest.fixture
def complete(cnn_train: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Return what the last word of a line can become, as bash is told."""

    # pytest may run as a module, by which the program would be called otherwise.
    monkeypatch.setattr(sys.modules["__main__"], "__package__", None, raising=False)

    def complete(line: str) -> list[str]:
        monkeypatch.setenv("_CNN_TRAIN_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(line.count(" ")))
        outcome = cnn_train()
        assert (outcome.exit_code, outcome.stderr) == (0, "")
        return str(outcome.stdout).split()

    return complete


@pytest.fixture
def names(tmp_path: Path) -> list[str]:
    """Make two runs, and a folder that is none."""
    runs = [RunDirectory.create(tmp_path / "runs", name) for name in ("lenet", "linear")]
    for run in runs:
        run.resolved_config.touch()
    (tmp_path / "runs" / "notes").mkdir()
    return [f"runs/{run.path.name}" for run in runs]


@pytest.mark.parametrize(
    "command",
    [
        "evaluate", "compare a", "runs remove", "runs watch", "checkpoint show", "fit --resume",
        "predict x.png --checkpoint", "evaluate x --against",
    ],
)  # fmt: skip
def test_runs_are_completed_wherever_one_is_asked_for(
    complete: Callable[[str], list[str]], names: list[str], command: str
) -> None:
    assert complete(f"cnn-train {command} runs/l") == ["runs/latest", *names]
    assert complete(f"cnn-train {command} runs/li") == names[1:]
    assert complete(f"cnn-train {command} runs/b") == ["runs/best"]
    assert complete(f"cnn-train {command} elsewhere/x") == []


def test_configs_and_networks_are_completed(complete: Callable[[str], list[str]]) -> None:
    assert complete("cnn-train fit --config quick") == ["quickstart"]
    assert complete("cnn-train fit -c linear_h") == ["linear_hinge"]
    assert complete("cnn-train config show quick") == ["quickstart"]
    assert complete("cnn-train models show vgg1") == ["vgg11", "vgg13", "vgg16", "vgg19"]


def test_the_networks_are_those_of_the_table() -> None:
    assert complete_models("") == list(ARCHITECTURES)


def test_a_folder_that_cannot_be_read_completes_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert complete_runs(f"{tmp_path}/file/") == complete_runs(f"{tmp_path}/\0/") == []


def test_nothing_heavy_is_imported_to_complete() -> None:
    program = (
        "import sys; from cnn_train.cli.completion import *; "
        "assert complete_models('') and complete_configs(''); complete_runs('runs/'); "
        "assert not {'torch', 'pydantic', 'numpy', 'yaml'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
