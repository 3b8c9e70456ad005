"""docs/lecture/ shows what the program prints, and names the test that holds each slide."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from in_process import run_here

from cnn_train.lecture import chapters
from cnn_train.lecture.chapters import (
    Block,
    fill,
    find_blocks,
    find_picture,
    run_command,
    shipped_chapters,
    shorten,
)

TEXTS = {path.stem: path.read_text("utf-8") for path in shipped_chapters()}
BLOCKS = [block for text in TEXTS.values() for block, _ in find_blocks(text)]
TAUGHT = [stem for stem in TEXTS if not stem.startswith("9")]
PICTURES = Path(__file__).parents[2] / "docs" / "images" / "lecture"
PAGE_OF_TWO_BLOCKS = """# Page
## First
```console
$ cnn-train one
old output
```
text
## Second
```console measured keep=of|nothing
$ cnn-train two \\
    --more
old output
$ cnn-train three
```
"""


@pytest.mark.slow
def test_what_is_the_same_on_every_machine_is_what_the_chapters_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chapters, "run_process", run_here)
    same = [block for block in BLOCKS if not block.kind]
    assert len(same) >= 8
    for block in same:
        assert block.transcript(lambda command: run_command(command, tmp_path)) == block.text


def test_a_command_is_run_in_a_process_of_its_own(tmp_path: Path) -> None:
    (block,) = (
        block for block in BLOCKS if block.commands() == ["cnn-train learn params --out params.png"]
    )
    assert block.transcript(lambda command: run_command(command, tmp_path)) == block.text


def test_every_command_runs_from_any_folder_and_is_one_of_ours() -> None:
    commands = [command for block in BLOCKS for command in block.commands()]
    assert len(commands) >= 35
    for command in commands:
        assert command.startswith("cnn-train ")
        assert not re.search(r"docs/|configs/|\.yaml", command), command


def test_every_command_has_printed_something() -> None:
    for block in BLOCKS:
        shown = re.sub(r"^\$ .*?[^\\]$", "", block.text, flags=re.MULTILINE | re.DOTALL)
        assert shown.strip(), block.title
        assert block.kind in ("", "measured", "train", "photos")


@pytest.mark.parametrize("stem", TAUGHT)
def test_every_section_has_idea_command_picture_and_a_question_with_a_hidden_answer(
    stem: str,
) -> None:
    top, *sections = re.split(r"^## ", TEXTS[stem], flags=re.MULTILINE)
    assert top.startswith(f"# {stem[0]}. ")
    *taught, last = sections
    assert last.startswith("On your own run\n")
    for section in taught:
        title, _, text = section.partition("\n")
        parts = ["**What to see.**", "**Predict before you run.**",
                 "<details><summary>Answer</summary>", "</details>"]  # fmt: skip
        assert [text.count(part) for part in parts] == [1, 1, 1, 1], title
        assert re.search(r"cnn-train \w+", text), title
        assert "](../images/" in text or stem.startswith("8"), title  # photographs are not ours


def test_every_picture_exists_and_every_picture_is_in_a_chapter() -> None:
    shown = set(re.findall(r"\]\(\.\./images/lecture/([\w.]+)\)", "".join(TEXTS.values())))
    assert shown == {path.name for path in PICTURES.iterdir()}


def test_the_table_names_a_row_per_slide_with_tests_that_exist(
    missing_tests: Callable[[str], list[str]],
) -> None:
    rows = [line for line in TEXTS["9-slides"].splitlines() if re.match(r"\| .*\.py::", line)]
    assert len(rows) >= 28
    missing = [name for row in rows for name in missing_tests(row)]
    assert missing == []


def test_only_the_blocks_that_are_wanted_are_run_again() -> None:
    ran: list[str] = []

    def run(command: str) -> str:
        ran.append(command)
        return f"first\nnew output of {command.split()[1]}\nlast\n"

    filled = fill(PAGE_OF_TWO_BLOCKS, run, lambda block: block.title == "Second")
    assert ran == ["cnn-train two \\\n    --more", "cnn-train three"]
    assert "$ cnn-train one\nold output\n" in filled
    second, third = ("…\nnew output of two\n…\n", "…\nnew output of three\n…\n")
    assert f"    --more\n{second}\n$ cnn-train three\n{third}```" in filled
    (first, _), (measured, _) = find_blocks(filled)
    assert first == Block("First", "", "$ cnn-train one\nold output\n")
    assert (measured.kind, measured.keep) == ("measured", "of|nothing")
    assert fill(filled, run, lambda block: block.kind == "measured") == filled


def test_what_is_left_out_is_one_line_wherever_it_was() -> None:
    assert shorten("a\nb\nc\nd\n", "") == "a\nb\nc\nd\n"
    assert shorten("a\nb\nc\nd\n", "^[bd]") == "…\nb\n…\nd\n"
    assert shorten("a\nb\n", "z") == "…\n"


def test_pictures_are_found_where_a_command_puts_them(tmp_path: Path) -> None:
    run = Path("runs", "latest")
    for folder in ("figures", "runs/latest"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("a.png", "figures/b.png", "runs/latest/curves.png"):
        (tmp_path / name).touch()

    def find(name: str, command: str) -> Path | None:
        return find_picture(name, f"cnn-train {command}", tmp_path, run)

    assert find("a.png", "learn params --out a.png") == tmp_path / "a.png"
    assert find("b.png", "evaluate runs/latest --out figures") == tmp_path / "figures" / "b.png"
    assert find("curves.png", "fit --config c") == tmp_path / "runs" / "latest" / "curves.png"
    assert find("curves.png", "fit --config c --dry-run") is None
    assert find("a.png", "evaluate runs/latest --out figures") is None
