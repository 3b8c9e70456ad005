import base64
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from cnn_train.cli.display.html import Section, render_html
from cnn_train.page import Block, Column, numbers, texts

Run = Callable[..., Any]
VOID = {"meta", "img"}


class Balance(HTMLParser):
    """Fails where an element is closed that is not open, as a browser would not."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def require_sound(html: str) -> None:
    reader = Balance()
    reader.feed(html)
    assert reader.open == []
    assert not re.search(r"https?://", html), "it needs no network"


def test_a_run_becomes_one_file_with_everything_in_it(cnn_train: Run, tiny_config: Path) -> None:
    fitted = cnn_train("fit", "-c", tiny_config, "--json").document
    outcome = cnn_train("report", "runs/latest")
    assert outcome.exit_code == 0, outcome.stderr
    path = Path(outcome.stdout.strip())
    assert path == Path(fitted["run_dir"]) / "report.html"
    html = path.read_text("utf-8")
    require_sound(html)
    headings = re.findall("<h2>(.*?)</h2>", html)
    assert headings[:3] == ["Result", "What to try next", "Learning curves"]
    assert {"Confusion", "Mistakes", "Calibration", "Config"} <= set(headings)
    assert html.count("data:image/svg+xml;base64,") + html.count("data:image/png;base64,") == 4
    assert "  image_size: 16\n" in html


def test_the_curves_and_the_advice_are_of_the_whole_run(
    cnn_train: Run, tiny_config: Path, tmp_path: Path
) -> None:
    stuck = ("--set", "optimizer.lr=1e-9", "--set", "best_by=accuracy")  # the first epoch is best
    cnn_train("fit", "-c", tiny_config, "--set", "epochs=6", *stuck)
    assert cnn_train("report", "runs/latest", "--out", "whole.html").exit_code == 0
    html = Path("whole.html").read_text("utf-8")
    assert "The best epoch was 1 of 6" in html and "epochs are done" not in html
    stop = ("--set", "stop={patience: 4, metric: accuracy}", "--set", "epochs=9")
    cnn_train("fit", "-c", tiny_config, *stop, *stuck)
    assert cnn_train("report", "runs/latest", "--out", "stopped.html").exit_code == 0
    html = Path("stopped.html").read_text("utf-8")
    assert "The best epoch was 1 of 5" in html and "epochs are done" not in html


@pytest.mark.parametrize(
    ("checkpoint", "slices"),
    [("cross_entropy", []), ("hinge", ["--slices", "--severities", "0,3"])],
    indirect=["checkpoint"],
)
def test_an_evaluation_writes_its_report_too(
    cnn_train: Run, checkpoint: Path, slices: list[str]
) -> None:
    outcome = cnn_train("evaluate", checkpoint, "--out", "evaluation", *slices)
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stderr.strip().endswith("report.html")
    html = Path("evaluation/report.html").read_text("utf-8")
    require_sound(html)
    assert "on the test split" in html
    assert ("Harder images" in html) == bool(slices)
    for name, kind in ([("challenges", "png"), ("slices", "svg+xml")] if slices else
                       [("mistakes", "png"), ("calibration", "svg+xml")]):  # fmt: skip
        assert f'alt="{name}" src="data:image/{kind};base64,' in html  # lines stay lines
        saved = base64.b64encode(Path(f"evaluation/{name}.png").read_bytes()).decode()
        assert (saved in html) == (kind == "png")


@pytest.mark.parametrize("checkpoint", ["hinge"], indirect=True)
@pytest.mark.parametrize(
    ("out", "reason"),
    [("report.pdf", "a report is an .html file"), ("no/report.html", "no directory no")],
)
def test_a_place_that_no_report_can_have_is_refused(
    cnn_train: Run, checkpoint: Path, out: str, reason: str
) -> None:
    wrong = cnn_train("report", checkpoint, "--out", out)
    assert wrong.exit_code == 2 and reason in wrong.stderr and "Scoring" not in wrong.stderr


def test_no_text_can_be_taken_for_html() -> None:
    evil = "<script>alert(1)</script>&\x1b[2J"
    block = Block(evil, (evil,), (*texts(evil), *numbers("n")), ((evil, evil),), notes=(evil,))
    html = render_html(evil, [Section(evil, (block,), (evil,), text=evil)])
    require_sound(html)
    assert "<script" not in html and "\x1b" not in html
    assert html.count("&lt;script&gt;") == 12


def test_a_bar_is_as_long_as_its_blocks_and_numbers_stand_on_the_right() -> None:
    columns = (*numbers("n"), Column("", is_number=False))
    html = render_html("t", [Section("s", (Block(columns=columns, rows=(("7", "█" * 12),)),))])
    assert 'class="number">7<' in html and "width: 4.00rem" in html and "█" not in html
