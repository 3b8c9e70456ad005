"""Where the data directory is, for every way to name it."""

from pathlib import Path

import pytest

from cnn_train.data import location
from cnn_train.data.location import resolve_data_dir
from cnn_train.errors import UsageError


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    monkeypatch.setenv("CNN_TRAIN_DATA", "/data")


def test_the_option_wins():
    assert resolve_data_dir(Path("/chosen")) == Path("/chosen")


def test_then_the_projects_own_variable():
    assert resolve_data_dir(None) == Path("/data")


def test_then_the_xdg_cache(monkeypatch):
    monkeypatch.delenv("CNN_TRAIN_DATA")
    assert resolve_data_dir(None) == Path("/cache/cnn-train")


@pytest.mark.parametrize("xdg_cache", ["", "relative/cache"])
def test_then_the_home_directory(monkeypatch, xdg_cache):
    monkeypatch.setenv("CNN_TRAIN_DATA", "")
    monkeypatch.setenv("XDG_CACHE_HOME", xdg_cache)
    assert resolve_data_dir(None) == Path("/home/somebody/.cache/cnn-train")


def test_a_tilde_and_a_relative_path_become_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert resolve_data_dir(Path("~/images")) == Path("/home/somebody/images")
    assert resolve_data_dir(Path("images")) == tmp_path / "images"


def test_without_a_home_directory_the_error_says_what_to_name(monkeypatch):
    def no_home(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("CNN_TRAIN_DATA")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(location.Path, "expanduser", no_home)
    with pytest.raises(UsageError, match="--data-dir or CNN_TRAIN_DATA"):
        resolve_data_dir(None)


def test_without_home_in_the_environment_the_user_database_answers(monkeypatch):
    for name in ("CNN_TRAIN_DATA", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name)
    assert resolve_data_dir(None).parts[-2:] == (".cache", "cnn-train")
