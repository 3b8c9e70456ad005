"""One spelling of a place, whichever way it was given."""

from pathlib import Path

import pytest

from cnn_train.machine.working_directory import from_here


def test_what_is_below_is_relative_however_it_is_given_and_all_else_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here" / "runs" / "a").mkdir(parents=True)
    (tmp_path / "here" / "runs" / "latest").symlink_to("a")
    (tmp_path / "link").symlink_to("here")
    monkeypatch.chdir(tmp_path / "link")
    ways = (Path("runs/latest"), tmp_path / "here" / "runs" / "a", tmp_path / "link" / "runs/a")
    assert {from_here(way) for way in ways} == {Path("runs/a")}
    assert from_here(Path("..")) == tmp_path.resolve()
    assert from_here(Path()) == (tmp_path / "here").resolve()
