from pathlib import Path

import pytest

from cnn_train.machine.disk_use import disk_use

SIZE = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder of one large file of two names, and of a link to another elsewhere."""
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "a").write_bytes(bytes(range(256)) * (SIZE // 256))
    (folder / "deep" / "b").hardlink_to(folder / "a")
    (folder / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "outside").write_bytes(b"x" * SIZE)
    return folder


def test_a_file_of_two_names_is_counted_once_and_links_are_not_followed(folder: Path) -> None:
    assert SIZE <= disk_use(folder) < 1.5 * SIZE
    assert disk_use(folder, folder / "a") == disk_use(folder)
    assert SIZE <= disk_use(folder / "a", folder / "deep" / "b") < 1.5 * SIZE
    assert disk_use(folder / "absent") == 0
