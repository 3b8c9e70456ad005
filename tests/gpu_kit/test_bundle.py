"""The bundle: wheels by pip from a local folder, images, peers, and a line to start with."""

import shlex
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gpu_kit import bundle as bundling
from gpu_kit.bundle import bundle, pinned_versions

from cnn_train.errors import DataError


@pytest.fixture
def wheels_nearby(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pip find one small wheel in a folder, and nothing else."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / "tiny-1.0-cp312-cp312-manylinux_2_28_x86_64.whl", "w") as wheel:
        wheel.writestr(
            "tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
        )
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setattr(bundling, "pinned_versions", lambda: ["tiny==1.0"])


@pytest.mark.usefixtures("wheels_nearby")
def test_a_bundle_holds_wheels_images_and_peers_and_says_how_to_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "clones" / "a").mkdir(parents=True)
    (tmp_path / "clones" / "a" / "airbench94_muon.py").write_text("text")
    (tmp_path / "images.tar").write_text("images")
    out = tmp_path / "bundle"
    for _ in range(2):  # the second replaces the first
        bundle(out, tmp_path / "images.tar", tmp_path / "clones")
    assert {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()} == {
        "images.tar", "peers/airbench94_muon.py",
        "wheels/tiny-1.0-cp312-cp312-manylinux_2_28_x86_64.whl",
    }  # fmt: skip
    stdout, stderr = capsys.readouterr()
    assert (
        "not in the bundle, so not raced with: cifar10_speedrun.py, airbench96_faster.py" in stderr
    )
    lines = [line for line in stdout.splitlines() if line.startswith("python3 ")]
    assert len(lines) == 6
    for line in lines:
        assert len(line) < 2000
        words = shlex.split(line)
        assert {f"{out}/wheels/*.whl", f"{out}/images.tar", f"{out}/peers"} <= set(words)


def test_a_wheel_that_cannot_be_had_is_named(
    tmp_path: Path, wheels_nearby: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundling, "pinned_versions", lambda: ["tiny==2.0"])
    with pytest.raises(DataError, match=r"No matching distribution found for tiny==2\.0"):
        bundle(tmp_path / "bundle", None, None)


def test_what_torch_brings_and_what_only_developers_need_does_not_travel() -> None:
    names = {pin.partition("==")[0].lower() for pin in pinned_versions()}
    assert {"pydantic", "pydantic_core", "typing-inspection", "typer", "pytest"} <= names
    assert names.isdisjoint({"torch", "torchvision", "numpy", "ruff", "mypy"})
