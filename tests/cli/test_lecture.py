"""The lecture's chapters with one's own run: a web page or a notebook, complete and offline."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from in_process import run_here

from cnn_train.lecture import chapters, own_chapters

Run = Callable[..., Any]

CHAPTER = """# 1. A chapter

*Short.* [All chapters](../lecture.md)

## First

Look at `runs/latest`.

```console train keep=best
$ cnn-train fit --config quickstart
best validation accuracy 99.00 %
```

![The curves](../images/lecture/learning_curves.png)

```console measured keep=^accuracy
$ cnn-train evaluate runs/latest --out evaluation
accuracy           99.00 %
```

![Confused](../images/lecture/confusion.png)

```console
$ cnn-train learn params --out nowhere/params.png
```

![Never drawn](../images/lecture/params.png)

| a | b |
|---|---|
| 1 < 2 | <details><summary>Answer</summary>yes</details> |
"""
PHOTOGRAPHS = "# 2. Photographs\n```console photos\n$ cnn-train fit --config hog_linear\n```\n"


@pytest.fixture
def export(
    cnn_train: Run, tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Return the command, for two chapters and a run that was trained."""
    paths = [tmp_path / "1-a.md", tmp_path / "2-photographs.md"]
    for path, text in zip(paths, (CHAPTER, PHOTOGRAPHS), strict=True):
        path.write_text(text)
    monkeypatch.setattr(own_chapters, "shipped_chapters", lambda: paths)
    assert cnn_train("fit", "--config", tiny_config, "--name", "mine").exit_code == 0
    monkeypatch.setattr(chapters, "run_process", run_here)
    return lambda *options: cnn_train("lecture", "export", "runs/latest", *options)


def test_a_page_shows_this_runs_numbers_and_pictures_and_asks_nobody(
    export: Run, tmp_path: Path
) -> None:
    outcome = export("--to", "html")
    assert (outcome.exit_code, outcome.stdout) == (0, "runs/latest/lecture.html\n"), outcome.stderr
    page = (tmp_path / "runs" / "latest" / "lecture.html").read_text()
    assert "$ cnn-train fit --config runs/latest/resolved.yaml" in page
    assert "99.00" not in page  # the lecture's own numbers
    assert "$ cnn-train evaluate runs/latest --out evaluation --split val" in page
    assert re.search(r"…\naccuracy +\d+\.\d+ %  \(95 % interval", page)
    assert page.count('src="data:image/png;base64,') == 2  # curves and confusion
    assert "Never drawn" not in page and "nowhere" in page  # what failed is told
    assert "<details><summary>Answer</summary>yes</details>" in page and "<td>1 &lt; 2</td>" in page
    assert "Photographs" not in page and "All chapters" not in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)


def test_a_notebook_holds_texts_commands_and_what_they_printed(export: Run, tmp_path: Path) -> None:
    outcome = export("--to", "ipynb", "--out", "mine.ipynb")
    assert outcome.exit_code == 0, outcome.stderr
    notebook = json.loads((tmp_path / "mine.ipynb").read_text())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    cells = notebook["cells"]
    assert [cell["cell_type"] for cell in cells] == [
        "markdown", "code", "markdown", "code", "markdown", "code", "markdown",
    ]  # fmt: skip
    assert len({cell["id"] for cell in cells}) == len(cells)
    trained, evaluated = cells[1], cells[3]
    assert trained["source"] == "!cnn-train fit --config runs/latest/resolved.yaml"
    assert trained["outputs"] == []
    assert "accuracy" in evaluated["outputs"][0]["text"]
    (name,) = cells[4]["attachments"]
    assert f"![Confused](attachment:{name})" in cells[4]["source"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "a.pdf"], "--out a.pdf: --to html writes a file that ends in .html"),
        (["--out", "gone/a.html"], "gone"),
    ],
)
def test_a_file_that_cannot_be_is_refused_before_any_work(
    export: Run, options: list[str], message: str
) -> None:
    outcome = export(*options)
    assert outcome.exit_code != 0
    (line,) = outcome.stderr.splitlines()
    assert message in line


def test_a_folder_without_a_run_is_refused(cnn_train: Run, tmp_path: Path) -> None:
    outcome = cnn_train("lecture", "export", tmp_path)
    assert outcome.exit_code == 4
    assert "no run with a checkpoint" in outcome.stderr


@pytest.mark.parametrize("given", ["../other folder/mine", "with spaces/mine"])
def test_a_run_may_lie_beside_us_and_its_name_may_hold_spaces(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chapter = tmp_path / "1-a.md"
    chapter.write_text("```console\n$ cnn-train evaluate runs/latest --config quickstart\n```\n")
    monkeypatch.setattr(own_chapters, "shipped_chapters", lambda: [chapter])
    monkeypatch.setattr(own_chapters, "run_command", lambda command, *places: command)
    here, place = tmp_path / "here", tmp_path / "work" / "place"
    (here / given).mkdir(parents=True)
    place.mkdir(parents=True)
    monkeypatch.chdir(here)
    (worked,) = own_chapters.OwnRun(Path(given), place).chapters(str)
    _, _, run, _, config, *_ = shlex.split(worked.parts[1].command)
    assert (place / run).resolve() == (here / given).resolve()
    assert (place / config).resolve() == (here / given).resolve() / "resolved.yaml"
    assert list(place.parent.iterdir()) == [place]
