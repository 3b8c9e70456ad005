"""The model of a file system, against states worked out by hand."""

from pathlib import Path

import pytest
from torture_campaign.crash_states import Disk, crash_states
from torture_campaign.file_operations import Operation


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "a").write_bytes(b"old!")
    return tmp_path


def states(directory: Path, *operations: tuple[str, ...]) -> list[dict[str, bytes]]:
    """Return the states after a crash; an operation is (kind, path or '', target or data)."""
    made = []
    for kind, name, *more in operations:
        path = str(directory / name) if name else str(directory)
        data = more[0].encode() if more and kind == "write" else b""
        target = str(directory / more[0]) if more and kind != "write" else ""
        made.append(Operation(kind, path, target, 0, data))
    return list(crash_states(directory, made))


def test_nothing_done_is_nothing_changed(directory: Path) -> None:
    assert states(directory) == [{"a": b"old!"}]


def test_a_file_overwritten_in_place_may_be_old_empty_half_zeros_or_new(directory: Path) -> None:
    found = states(directory, ("truncate", "a"), ("write", "a", "new!"))
    assert {state["a"] for state in found} == {b"old!", b"", b"ne", b"ne\0\0", b"new!"}


def test_a_synced_file_is_whole(directory: Path) -> None:
    found = states(directory, ("write", "a", "new!"), ("sync", "a"))
    assert {"a": b"new!"} in found
    disk = Disk(directory)
    disk.apply(Operation("write", str(directory / "a"), data=b"new!"))
    disk.apply(Operation("sync", str(directory / "a")))
    assert list(disk.after_crash()) == [{"a": b"new!"}]


def test_a_name_is_safe_only_when_the_directory_is_synced(directory: Path) -> None:
    made = [("create", "b"), ("write", "b", "new!"), ("sync", "b"), ("rename", "b", "a")]
    before = states(directory, *made)
    assert {"a": b"old!"} in before and {"a": b"new!"} in before
    assert all(state.get("a") in (b"old!", b"new!") for state in before)
    disk = Disk(directory)
    for kind, name, *more in [*made, ("sync", "")]:
        disk.apply(
            Operation(
                kind,
                str(directory / name) if name else str(directory),
                str(directory / more[0]) if kind == "rename" else "",
                data=more[0].encode() if kind == "write" else b"",
            )
        )
    assert list(disk.after_crash()) == [{"a": b"new!"}]


def test_a_rename_may_reach_the_disk_before_the_content(directory: Path) -> None:
    found = states(directory, ("create", "b"), ("write", "b", "new!"), ("rename", "b", "a"))
    assert {"a": b""} in found


def test_two_names_of_one_file_hold_the_same(directory: Path) -> None:
    (directory / "b").hardlink_to(directory / "a")
    found = states(directory, ("write", "b", "new!"))
    assert all(state["a"] == state["b"] for state in found)


def test_unsynced_names_may_arrive_in_any_order(directory: Path) -> None:
    found = states(directory, ("link", "a", "b"), ("unlink", "a"))
    assert {} in found
    assert {"a": b"old!", "b": b"old!"} in found
    assert {"b": b"old!"} in found
