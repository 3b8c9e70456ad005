import errno
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cnn_train.errors import ResourceError
from cnn_train.machine.atomic_file import give_second_name, remove_leftovers, write_atomically


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    path.write_bytes(b"old")
    return path


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Note the seconds that the writer would sleep, and sleep none of them."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


def failing_with(code: int, times: int = 99) -> Any:
    """Make a function that fails so many times, and then does nothing."""
    left = iter(range(times))

    def fail(*arguments: object) -> None:
        if next(left, None) is not None:
            raise OSError(code, os.strerror(code))

    return fail


def only_file_in(directory: Path) -> Path:
    (path,) = directory.iterdir()
    return path


def test_the_file_has_the_permissions_that_the_user_gives_to_new_files(tmp_path: Path) -> None:
    previous = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", b"")
    finally:
        os.umask(previous)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(("owner", "name"), [(os, "fsync"), (Path, "replace")])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EROFS])
def test_a_failing_write_leaves_the_old_content_and_no_temporary_file(
    target: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, code: int
) -> None:
    monkeypatch.setattr(owner, name, failing_with(code))
    with pytest.raises(ResourceError) as caught:
        write_atomically(target, b"new")
    assert only_file_in(target.parent).read_bytes() == b"old"
    message = str(caught.value)
    assert message.startswith(f"{target}: ")
    assert "\n" not in message


def test_a_full_disk_is_named_with_the_space_that_is_needed(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", failing_with(errno.ENOSPC))
    with pytest.raises(ResourceError, match=rf"disk full; need 2\.0 MB in {target.parent}"):
        write_atomically(target, bytes(2_000_000))


def test_a_disk_that_is_full_for_a_moment_costs_only_time(
    target: Path, monkeypatch: pytest.MonkeyPatch, naps: list[float]
) -> None:
    monkeypatch.setattr(os, "fsync", failing_with(errno.ENOSPC, times=2))
    write_atomically(target, b"new")
    assert only_file_in(target.parent).read_bytes() == b"new"
    assert len(naps) == 2


def test_other_failures_are_not_tried_again(
    target: Path, monkeypatch: pytest.MonkeyPatch, naps: list[float]
) -> None:
    monkeypatch.setattr(os, "fsync", failing_with(errno.EIO, times=1))
    with pytest.raises(ResourceError, match=rf"{target}: cannot write \(EIO: "):
        write_atomically(target, b"new")
    assert naps == []


def test_what_cannot_fit_is_not_begun(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil.disk_usage(target.parent)._replace(free=999)
    monkeypatch.setattr(shutil, "disk_usage", lambda directory: free)
    monkeypatch.setattr(Path, "open", failing_with(errno.EIO))  # would be said
    with pytest.raises(ResourceError, match="disk full"):
        write_atomically(target, bytes(1000))
    monkeypatch.undo()
    write_atomically(target, bytes(999))


def test_the_pieces_replace_the_old_content_one_after_the_other(target: Path) -> None:
    write_atomically(target, b"one ", memoryview(b"two "), b"three")
    assert only_file_in(target.parent).read_bytes() == b"one two three"


def test_a_second_name_is_the_same_file_and_takes_the_place_of_another(target: Path) -> None:
    other = target.with_name("other")
    other.write_bytes(b"older")
    for _ in range(2):  # again, where it is the same file already
        give_second_name(target, other)
        assert other.samefile(target)
        assert sorted(path.name for path in target.parent.iterdir()) == ["other", "state"]


def test_without_links_a_second_name_is_a_copy(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "hardlink_to", failing_with(errno.EPERM))
    other = target.with_name("other")
    give_second_name(target, other)
    assert other.read_bytes() == b"old"
    assert not other.samefile(target)


def test_leftovers_of_killed_writers_are_removed_and_nothing_else(target: Path) -> None:
    for name in (".state-abc.tmp", ".lock", "mine.tmp"):
        target.with_name(name).touch()
    remove_leftovers(target.parent)
    assert {path.name for path in target.parent.iterdir()} == {".lock", "mine.tmp", "state"}


def test_an_interruption_leaves_the_old_content_and_no_temporary_file(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(target, b"new")
    assert only_file_in(target.parent).read_bytes() == b"old"


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "file"
    with pytest.raises(ResourceError, match=r"nowhere/file: cannot write \(ENOENT: No such file"):
        write_atomically(path, b"")


KILLED_DURING_A_WRITE = """
import os, sys
from pathlib import Path
from cnn_train.machine.atomic_file import give_second_name, remove_leftovers, write_atomically

target, owner, name, call, moment = sys.argv[1:]
owner = {"os": os, "Path": Path}[owner]
original, calls = getattr(owner, name), 0

def die(*arguments, **options):
    global calls
    calls += 1
    if calls == int(call) and moment == "before":
        os._exit(9)
    result = original(*arguments, **options)
    if calls == int(call):
        os._exit(9)
    return result

setattr(owner, name, die)
write_atomically(Path(target), b"new" * 1000)
"""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    ("owner", "name", "call", "renamed"),
    [
        ("Path", "open", 1, False),
        ("os", "fsync", 1, False),
        ("Path", "replace", 1, None),
        ("os", "fsync", 2, True),
    ],
)
def test_a_process_killed_in_a_write_leaves_the_old_file_or_the_new_one(
    target: Path, owner: str, name: str, call: int, renamed: bool | None, moment: str
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_DURING_A_WRITE, target, owner, name, str(call), moment],
        check=False,
    )
    assert killed.returncode == 9
    expect_new = moment == "after" if renamed is None else renamed
    assert target.read_bytes() == (b"new" * 1000 if expect_new else b"old")
