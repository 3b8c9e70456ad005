import os
from pathlib import Path

import pytest
from torture_campaign.file_operations import Operation, watched


def test_everything_that_python_does_to_a_file_is_heard_in_order(tmp_path: Path) -> None:
    heard: list[Operation] = []
    with watched(heard.append):
        with (tmp_path / "a").open("wb") as file:
            file.write(b"12")
            file.flush()
            os.fsync(file.fileno())
        (tmp_path / "a").replace(tmp_path / "b")
        (tmp_path / "c").hardlink_to(tmp_path / "b")
        (tmp_path / "b").write_text("3", "utf-8")
        (tmp_path / "c").unlink()
        descriptor = os.open(tmp_path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    kinds = ["create", "write", "sync", "rename", "link", "truncate", "write", "unlink", "sync"]
    assert [operation.kind for operation in heard] == kinds
    assert [Path(operation.path).name for operation in heard] == [
        "a", "a", "a", "a", "b", "b", "b", "c", tmp_path.name,
    ]  # fmt: skip
    assert (tmp_path / "b").read_text("utf-8") == "3"


def test_what_the_listener_raises_happens_instead(tmp_path: Path) -> None:
    def refuse(operation: Operation) -> None:
        if operation.kind == "rename":
            raise OSError(28, "full")

    (tmp_path / "a").touch()
    with watched(refuse), pytest.raises(OSError, match="full"):
        (tmp_path / "a").replace(tmp_path / "b")
    assert (tmp_path / "a").exists() and not (tmp_path / "b").exists()


def test_afterwards_nobody_listens(tmp_path: Path) -> None:
    heard: list[Operation] = []
    with watched(heard.append):
        pass
    (tmp_path / "a").touch()
    assert heard == []
