"""The wheel, built and unpacked as pip does it, works in an empty folder without the clone."""

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from shutil import copy, copytree, ignore_patterns

import pytest
from PIL import Image

from cnn_train.checkpoints.pretrained import list_cards
from cnn_train.config.shipped import shipped_configs
from cnn_train.lecture.chapters import shipped_chapters

REPOSITORY = Path(__file__).parents[2]
TINY = ["data.num_train=200", "data.num_test=20", "epochs=1"]


class Installed:
    """The unpacked wheel; its program is run in a folder of its own."""

    def __init__(self, site: Path, folder: Path) -> None:
        self.site, self.folder = site, folder
        folder.mkdir()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        # The other libraries come from where they are; of cnn_train, PYTHONPATH is found first.
        variables = {**os.environ, "PYTHONPATH": str(self.site), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, "-P", *arguments],
            env=variables, cwd=self.folder, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done

    def cnn_train(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "cnn_train", *arguments)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the source distribution, as a release is made; no network."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    place = tmp_path_factory.mktemp("wheel")
    tree = place / "tree"
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    parts = project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    for name in (".gitignore", "pyproject.toml", *parts):
        source, target = REPOSITORY / name, tree / name
        if source.is_dir():
            copytree(source, target, ignore=ignore_patterns("__pycache__"))
        else:
            tree.mkdir(exist_ok=True)
            copy(source, target)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(place), str(tree)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = place.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Installed:
    site = wheel.parent / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return Installed(site, wheel.parent / "empty")


pytestmark = pytest.mark.slow


def test_the_wheel_has_all_code_every_config_and_every_trained_model_and_no_more(
    wheel: Path,
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = REPOSITORY / "cnn_train"
    files = [path for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    expected = {path.relative_to(REPOSITORY).as_posix() for path in files}
    expected |= {f"cnn_train/recipes/{name}.yaml" for name in shipped_configs()}
    expected |= {f"cnn_train/chapters/{path.name}" for path in shipped_chapters()}
    assert names == expected
    assert {f"cnn_train/pretrained/{card.name}.ckpt" for card in list_cards()} <= names
    assert wheel.stat().st_size < 12e6


def test_it_is_the_wheel_that_runs(installed: Installed) -> None:
    printed = installed.run("-c", "import cnn_train; print(cnn_train.__file__)").stdout
    assert printed.strip() == str(installed.site / "cnn_train" / "__init__.py")


def test_its_configs_are_listed_copied_and_trained(installed: Installed) -> None:
    listed = json.loads(installed.cnn_train("config", "list", "--json").stdout)["configs"]
    assert [config["name"] for config in listed] == list(shipped_configs())
    installed.cnn_train("config", "copy", "quickstart")
    copied = (installed.folder / "quickstart.yaml").read_text("utf-8")
    assert copied == shipped_configs()["quickstart"].read_text("utf-8")
    settings = [word for setting in TINY for word in ("--set", setting)]
    options = ["--data-dir", "data", "--run-root", "trained", *settings]
    installed.cnn_train("fit", "--config", "quickstart", *options)
    assert (installed.folder / "trained" / "latest" / "best.ckpt").is_file()


def test_its_trained_models_answer_where_there_is_no_run(installed: Installed) -> None:
    Image.new("RGB", (64, 48), (120, 160, 220)).save(installed.folder / "sky.png")
    answered = installed.cnn_train("predict", "sky.png", "--json")
    assert "no trained model below runs" in answered.stderr
    assert json.loads(answered.stdout)["checkpoint"] == list_cards()[0].address
    models = json.loads(installed.cnn_train("models", "pretrained", "--json").stdout)["pretrained"]
    verified = installed.cnn_train("checkpoint", "verify", *(one["checkpoint"] for one in models))
    assert verified.stdout.count(": ok") == len(list_cards())
