import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import pytest
from pydantic import Field
from typer.testing import CliRunner

from cnn_train.cli import console
from cnn_train.cli.config import app
from cnn_train.config.base import Config, tagged_union
from cnn_train.config.shipped import shipped_configs
from cnn_train.errors import ConfigError, UsageError


class Sgd(Config):
    name: Literal["sgd"] = "sgd"
    lr: float = Field(default=0.1, gt=0, description="learning rate, > 0")


class Gd(Config):
    name: Literal["gd"] = "gd"


OPTIMIZERS = {"sgd": Sgd, "gd": Gd}


class Experiment(Config):
    optimizer: tagged_union(OPTIMIZERS, tag="name", default="sgd") = Field(  # type: ignore[valid-type]
        default=Sgd(), description="rule that updates the weights"
    )
    epochs: int = Field(default=30, ge=1, description="passes over the data")

    def warnings(self) -> list[str]:
        return ["epochs: one is not much"] if self.epochs == 1 else []


@pytest.fixture(autouse=True)
def a_small_experiment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for the real experiment, so that these tests need neither torch nor the models."""
    module = SimpleNamespace(ExperimentConfig=Experiment)
    monkeypatch.setitem(sys.modules, "cnn_train.experiment", module)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("good.yaml").write_text("epochs: 3\n")
    Path("bad.yaml").write_text("epochs: 0\noptimiser: {}\n")
    Path("short.yaml").write_text("epochs: 1\n")
    return tmp_path


@pytest.mark.usefixtures("config")
def test_show_prints_every_setting_with_its_meaning() -> None:
    result = CliRunner().invoke(app, ["show", "good.yaml", "--set", "optimizer.lr=5e-2"])
    assert result.exit_code == 0
    assert result.stdout == (
        "optimizer:   # rule that updates the weights\n"
        "  name: sgd\n"
        "  lr: 0.05   # learning rate, > 0\n"
        "epochs: 3    # passes over the data\n"
    )
    assert result.stderr == ""


@pytest.mark.usefixtures("config")
def test_show_folds_meanings_in_a_window_and_leaves_them_whole_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(console.stdout, "width", 40)
    for in_window, fits in ((True, True), (False, False)):
        monkeypatch.setattr(console, "_known_width", in_window)
        lines = CliRunner().invoke(app, ["show", "good.yaml"]).stdout.splitlines()
        assert (max(map(len, lines)) <= 40) == fits


def test_show_reads_standard_input() -> None:
    result = CliRunner().invoke(app, ["show", "-"], input="epochs: 5\n")
    assert "epochs: 5" in result.stdout


@pytest.mark.usefixtures("config")
def test_show_warns_on_stderr_about_settings_without_effect() -> None:
    result = CliRunner().invoke(app, ["show", "short.yaml"])
    assert result.exit_code == 0
    assert result.stderr == "warning: short.yaml: epochs: one is not much\n"


@pytest.mark.usefixtures("config")
def test_show_refuses_a_wrong_config() -> None:
    result = CliRunner().invoke(app, ["show", "bad.yaml"])
    assert isinstance(result.exception, ConfigError)
    assert result.stdout == ""


@pytest.mark.usefixtures("config")
def test_check_says_ok_once_per_good_file_and_reports_all_findings_of_all_others() -> None:
    files = ["good.yaml", "bad.yaml", "gone.yaml", "short.yaml"]
    result = CliRunner().invoke(app, ["check", *files])
    assert result.stdout == "good.yaml: ok\nshort.yaml: ok\n"
    assert result.stderr == "warning: short.yaml: epochs: one is not much\n"
    assert isinstance(result.exception, ConfigError)
    assert result.exception.exit_code == 2
    assert str(result.exception).splitlines() == [
        "bad.yaml:1:9: epochs: 0 is out of range; expected a number >= 1",
        "bad.yaml:2:1: optimiser: unknown key; did you mean 'optimizer'?",
        "gone.yaml: no such config file; check the path, or give - to read standard input",
    ]


@pytest.mark.usefixtures("config")
def test_check_applies_overrides_to_every_file() -> None:
    result = CliRunner().invoke(app, ["check", "good.yaml", "short.yaml", "--set", "epochs=x"])
    assert str(result.exception) == "\n".join(
        2 * ['--set epochs=x: epochs: "x" is a string; expected a whole number >= 1']
    )


def test_check_needs_a_file() -> None:
    assert CliRunner().invoke(app, ["check"]).exit_code == 2


def test_list_names_every_config_that_ships_with_its_measured_line() -> None:
    configs = json.loads(CliRunner().invoke(app, ["list", "--json"]).stdout)["configs"]
    assert [one["name"] for one in configs] == list(shipped_configs())
    screen = " ".join(CliRunner().invoke(app, ["list"]).stdout.split())
    for one in configs:
        assert one["name"] in screen and one["summary"]
        assert f"cnn-train fit --config configs/{one['name']}.yaml" in one["facts"]["Command"]


def test_copy_writes_the_very_text_and_replaces_nothing_unless_by_force(config: Path) -> None:
    text = shipped_configs()["resnet20"].read_text("utf-8")
    Path("folder").mkdir()
    for file, options in (
        ("resnet20.yaml", []), ("mine.yaml", ["mine.yaml"]), ("folder/resnet20.yaml", ["folder"])
    ):  # fmt: skip
        copied = CliRunner().invoke(app, ["copy", "resnet20", *options])
        assert (copied.exit_code, copied.stdout) == (0, f"{file}\n")
        assert Path(file).read_text("utf-8") == text
        Path(file).write_text("precious")
        refused = CliRunner().invoke(app, ["copy", "resnet20", *options])
        assert str(refused.exception) == (
            f"{file}: exists; name another file, or replace it with --force"
        )
        assert Path(file).read_text() == "precious"
        CliRunner().invoke(app, ["copy", "resnet20", *options, "--force"])
        assert Path(file).read_text("utf-8") == text


def test_copy_refuses_a_name_that_does_not_ship_and_a_folder_that_is_not_there(
    config: Path,
) -> None:
    unknown = CliRunner().invoke(app, ["copy", "restnet20"])
    assert "did you mean 'resnet20'?" in str(unknown.exception)
    nowhere = CliRunner().invoke(app, ["copy", "resnet20", "absent/mine.yaml"])
    assert isinstance(nowhere.exception, UsageError)
    assert sorted(path.name for path in config.iterdir()) == ["bad.yaml", "good.yaml", "short.yaml"]


def test_schema_prints_one_json_document() -> None:
    result = CliRunner().invoke(app, ["schema"])
    assert json.loads(result.stdout)["properties"].keys() == {"optimizer", "epochs"}
