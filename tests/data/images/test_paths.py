"""Files, folders and patterns of a command line, expanded."""

import os

import pytest

from cnn_train.data.images import paths
from cnn_train.data.images.paths import find_images


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder tree of empty files, as the current directory."""
    names = ["b/2.png", "b/1.JPG", "a/x.webp", "a/notes.txt", "a/.hidden.png", ".git/z.png"]
    for name in [*names, "odd[1].png", "plain.dat"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*paths):
    return [file.as_posix() for file in find_images(paths)[0]]


def test_a_folder_gives_its_files_whatever_their_names_sorted_at_any_depth(tree):
    for name in ("a/Thumbs.db", "__MACOSX/1.png"):  # what a dataset's folder ignores too
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).touch()
    assert found(".") == [
        "a/notes.txt", "a/x.webp", "b/1.JPG", "b/2.png", "odd[1].png", "plain.dat"
    ]  # fmt: skip


def test_named_files_keep_their_order_whatever_they_are(tree):
    assert found("plain.dat", "b/2.png", "missing.png") == ["plain.dat", "b/2.png", "missing.png"]


def test_patterns_are_expanded_and_sorted(tree):
    assert found("b/*") == ["b/1.JPG", "b/2.png"]
    assert found("**/*.png") == ["b/2.png", "odd[1].png"]
    assert found("[ab]") == ["a/notes.txt", "a/x.webp", "b/1.JPG", "b/2.png"]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tree):
    assert found("odd[1].png") == ["odd[1].png"]


def test_the_tilde_is_the_home_directory(tree, monkeypatch):
    monkeypatch.setenv("HOME", str(tree))
    assert found("~/b") == [f"{tree.as_posix()}/b/1.JPG", f"{tree.as_posix()}/b/2.png"]


def test_what_matches_nothing_is_an_error_beside_what_was_found(tree):
    files, errors = find_images(["*.gif", "b/2.png", "empty"])
    assert [(error.path, error.message) for error in errors] == [
        ("*.gif", "*.gif: the pattern matches no image; check it"),
        ("empty", "empty: the folder holds no image; name another"),
    ]
    assert [file.name for file in files] == ["2.png"]


def test_a_folder_that_cannot_be_read_is_an_error(tree, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr(os, "scandir", refuse)
    _, (error,) = find_images(["b"])
    assert error.message == "b: cannot read b (Permission denied)"


class BackwardScan(list):
    """The entries of a folder from z to a, as ``os.scandir`` may give them."""

    def __init__(self, folder):
        if str(folder) != ".":
            raise PermissionError(13, "Permission denied", folder)
        super().__init__(sorted(SCANDIR(folder), key=lambda entry: entry.name))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def __next__(self):
        if not self:
            raise StopIteration
        return self.pop()


SCANDIR = os.scandir


def test_the_folder_that_is_named_as_unreadable_does_not_depend_on_the_disk(tree, monkeypatch):
    monkeypatch.setattr(os, "scandir", BackwardScan)
    _, (error,) = find_images(["."])
    assert error.message == ".: cannot read ./a (Permission denied)"


def test_an_impossible_name_is_left_to_the_reader(tree):
    assert found("x" * 5000) == ["x" * 5000]


def test_a_file_named_twice_counts_once(tmp_path):
    picture = tmp_path / "a.png"
    picture.touch()
    assert find_images([picture, tmp_path, tmp_path / "*.png"])[0] == [picture]


def test_a_line_break_in_a_name_does_not_break_the_message(tmp_path):
    _, errors = find_images([tmp_path / "no\nsuch*.png"])
    assert errors[0].message.endswith(r"no\nsuch*.png: the pattern matches no image; check it")


@pytest.mark.parametrize("pattern", [".", "**", "**/*", "**/*.png", "**/**/*", "*/*/*/*.png"])
def test_no_way_through_links_in_circles_leads_to_a_file_twice(tmp_path, pattern):
    inside = tmp_path / "a" / "b" / "c"
    inside.mkdir(parents=True)
    (inside / "1.png").touch()
    for folder in (tmp_path, tmp_path / "a", inside):
        for name, target in (("self", "."), ("same", "self"), ("up", tmp_path), ("loop", "loop")):
            (folder / name).symlink_to(target)
    files, _ = find_images([tmp_path / pattern])
    pictures = [file.resolve() for file in files if file.name == "1.png"]
    assert pictures == [inside / "1.png"]


def test_a_pattern_leads_through_links_that_it_names(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "1.png").touch()
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "cat").symlink_to("../real")
    for pattern in ("set/cat", "set/*", "set/*/*.png", "set/*/**/*.png"):
        assert find_images([tmp_path / pattern])[0] == [tmp_path / "set" / "cat" / "1.png"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [("c**", ["cat.png"]), ("**t.png", ["cat.png"]), (".*.png", [".hid.png"]),
     (".h*/*.png", [".hidden/6.png"]), ("*", ["cat.png"])],
)  # fmt: skip
def test_stars_within_a_name_and_hidden_names_mean_what_a_shell_means(tmp_path, pattern, found):
    (tmp_path / ".hidden").mkdir()
    for name in ("cat.png", ".hid.png", ".hidden/6.png"):
        (tmp_path / name).touch()
    assert find_images([tmp_path / pattern])[0] == [tmp_path / name for name in found]


@pytest.mark.parametrize("name", [".", "**/*"])
def test_too_many_files_are_refused(tree, monkeypatch, name):
    monkeypatch.setattr(paths, "MOST_FILES", 5)
    files, (error,) = find_images([name])
    assert (files, error.message) == ([], f"{name}: more than 5 files; name fewer at a time")
