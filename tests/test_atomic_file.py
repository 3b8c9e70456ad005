import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cnn_train.atomic_file import write_atomically
from cnn_train.errors import ResourceError


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    path.write_bytes(b"old")
    return path


def failing_with(code: int) -> Any:
    def fail(*arguments: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def only_file_in(directory: Path) -> Path:
    (path,) = directory.iterdir()
    return path


def test_the_new_content_replaces_the_old(target: Path) -> None:
    write_atomically(target, b"new")
    assert only_file_in(target.parent).read_bytes() == b"new"


def test_the_file_has_the_permissions_that_the_user_gives_to_new_files(tmp_path: Path) -> None:
    previous = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", b"")
    finally:
        os.umask(previous)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(("owner", "name"), [(os, "fsync"), (Path, "chmod"), (Path, "replace")])
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
from cnn_train.atomic_file import write_atomically

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
        ("os", "fdopen", 1, False),
        ("os", "fsync", 1, False),
        ("Path", "chmod", 1, False),
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
