"""The model of a file system, against states worked out by hand."""

from pathlib import Path

import pytest
from torture_campaign.crash_states import Disk, crash_states
from torture_campaign.file_operations import Operation


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "a").write_bytes(b"old!")
    return tmp_path


def operations(directory: Path, *made: tuple[str, ...]) -> list[Operation]:
    """Return operations from tuples: kind, file ('' for the directory), target or data."""
    operations = []
    for kind, name, *more in made:
        data = more[0].encode() if kind == "write" else b""
        target = str(directory / more[0]) if more and kind != "write" else ""
        operations.append(Operation(kind, str(directory / name), target, 0, data))
    return operations


def states(directory: Path, *made: tuple[str, ...]) -> list[dict[str, bytes]]:
    """Return the states after a crash at any moment."""
    return list(crash_states(directory, operations(directory, *made)))


def last_states(directory: Path, *made: tuple[str, ...]) -> list[dict[str, bytes]]:
    """Return the states after a crash when all is done."""
    disk = Disk(directory)
    for operation in operations(directory, *made):
        disk.apply(operation)
    return list(disk.after_crash())


def test_nothing_done_is_nothing_changed(directory: Path) -> None:
    assert states(directory) == [{"a": b"old!"}]


def test_a_file_overwritten_in_place_may_be_old_empty_half_zeros_or_new(directory: Path) -> None:
    possible = states(directory, ("truncate", "a"), ("write", "a", "new!"))
    assert {state["a"] for state in possible} == {b"old!", b"", b"ne", b"ne\0\0", b"new!"}


def test_a_synced_file_is_whole(directory: Path) -> None:
    made = [("write", "a", "new!"), ("sync", "a")]
    assert {"a": b"new!"} in states(directory, *made)
    assert last_states(directory, *made) == [{"a": b"new!"}]


def test_a_name_is_safe_only_when_the_directory_is_synced(directory: Path) -> None:
    made = [("create", "b"), ("write", "b", "new!"), ("sync", "b"), ("rename", "b", "a")]
    before = states(directory, *made)
    assert {"a": b"old!"} in before and {"a": b"new!"} in before
    assert all(state.get("a") in (b"old!", b"new!") for state in before)
    assert last_states(directory, *made, ("sync", "")) == [{"a": b"new!"}]


def test_a_rename_may_reach_the_disk_before_the_content(directory: Path) -> None:
    possible = states(directory, ("create", "b"), ("write", "b", "new!"), ("rename", "b", "a"))
    assert {"a": b""} in possible


def test_two_names_of_one_file_hold_the_same(directory: Path) -> None:
    (directory / "b").hardlink_to(directory / "a")
    possible = states(directory, ("write", "b", "new!"))
    assert all(state["a"] == state["b"] for state in possible)


def test_unsynced_names_may_arrive_in_any_order(directory: Path) -> None:
    possible = states(directory, ("link", "a", "b"), ("unlink", "a"))
    assert {} in possible
    assert {"a": b"old!", "b": b"old!"} in possible
    assert {"b": b"old!"} in possible
