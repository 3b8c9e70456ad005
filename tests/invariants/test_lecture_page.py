"""docs/lecture.md shows what the program prints, and names the test that holds each slide."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from in_process import run_here
from lecture_page import PAGE, Block, fill, prepare_workplace, read_blocks, run_command, transcript

BLOCKS = read_blocks(PAGE.read_text("utf-8"))
PAGE_OF_TWO_BLOCKS = """# Page
## First
```console
$ cnn-train one
old output
```
text
## Second
```console measured
$ cnn-train two \\
    --more
old output
$ cnn-train three
```
"""


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text("utf-8")


@pytest.mark.slow
def test_what_is_the_same_on_every_machine_is_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures are written to another place than the page's own."""
    prepare_workplace(tmp_path, photos=None)
    (tmp_path / "docs").unlink()
    (tmp_path / "docs" / "images" / "lecture").mkdir(parents=True)
    monkeypatch.setattr("lecture_page.subprocess.run", run_here)
    same = [block for block in BLOCKS if not block.kind]
    assert len(same) >= 8
    for block in same:
        assert transcript(block, lambda command: run_command(command, tmp_path)) == block.text


def test_a_command_is_run_in_a_process_of_its_own(tmp_path: Path) -> None:
    (command,) = (block for block in BLOCKS if block.commands() == ["cnn-train learn params"])
    assert transcript(command, lambda command: run_command(command, tmp_path)) == command.text


def test_every_command_of_the_page_has_printed_something() -> None:
    assert len(BLOCKS) >= 20
    for block in BLOCKS:
        lines = block.text.splitlines()
        assert block.commands()
        assert any(not line.startswith(("$ ", "    --")) for line in lines), block.title


def test_every_picture_of_the_page_exists_and_every_picture_is_on_the_page(page: str) -> None:
    shown = set(re.findall(r"\]\(images/lecture/([\w.]+)\)", page))
    drawn = {path.name for path in (PAGE.parent / "images" / "lecture").iterdir()}
    assert shown == drawn


def test_the_table_names_a_row_per_slide_with_tests_that_exist(
    page: str, missing_tests: Callable[[str], list[str]]
) -> None:
    rows = [line for line in page.splitlines() if re.match(r"\| .*\.py::", line)]
    assert len(rows) >= 28
    missing = [name for row in rows for name in missing_tests(row)]
    assert missing == []


def test_only_the_blocks_that_are_wanted_are_run_again() -> None:
    ran: list[str] = []

    def run(command: str) -> str:
        ran.append(command)
        return f"new output of {command.split()[1]}\n"

    filled = fill(PAGE_OF_TWO_BLOCKS, run, lambda block: block.title == "Second")
    assert ran == ["cnn-train two \\\n    --more", "cnn-train three"]
    assert "$ cnn-train one\nold output\n" in filled
    assert "    --more\nnew output of two\n\n$ cnn-train three\nnew output of three\n```" in filled
    assert read_blocks(filled)[0] == Block("First", "", "$ cnn-train one\nold output\n")
    assert fill(filled, run, lambda block: block.kind == "measured") == filled
