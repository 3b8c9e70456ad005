"""Names of any letters reach the terminal, pictures and documents as plain text, or as they are."""

import json
import os
import random
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torture_campaign.hostile import REFUSALS, Ground
from torture_campaign.hostile.names import TEXTS, USES, Use, draw

from cnn_train.cli import console
from cnn_train.cli.loading import evaluate_command
from cnn_train.data.shapes.dataset import ShapesConfig
from cnn_train.errors import in_one_line, visible
from cnn_train.figures.embedding import draw_embedding
from cnn_train.web import server

Run = Callable[..., "tuple[int, str, str]"]

READABLE = (
    "Käse größe e\u0301 \u732b\u72ac \u0642\u0637\u0629 \u2764\ufe0f \U0001f986 a\xa0b\u202fc"
)
WORST = "a\x1b[2J\x9b\u202e\u2066\u200b\ufeff\u2028\udce9\U000e0061[red]$x^\t\n:smiley:"


@pytest.mark.parametrize("use", USES)
def test_nothing_hidden_is_written(run_main: Run, trained: Path, tmp_path: Path, use: Use) -> None:
    run = (trained / "runs" / "latest").resolve()
    code, *written = run_main(*use(Ground(tmp_path, run, random.Random(0)), tmp_path, WORST))
    assert code in REFUSALS
    for path in tmp_path.rglob("*.svg"):
        written.append(path.read_bytes().decode())
        ET.fromstring(written[-1])
    for path in tmp_path.rglob("*/evaluation.json"):
        written.append(path.read_text())
    for text in written:
        assert visible(text) == text
        assert "\u263a" not in text  # what Rich makes of :smiley:


def test_letters_that_are_seen_stay_and_all_others_are_spelled_out() -> None:
    assert visible(READABLE) == READABLE
    for what in ("not UTF-8", "colours", "separators", "overridden", "marks", "joiners", "tags"):
        spelled = in_one_line(TEXTS[what])
        assert spelled.isprintable() and "\\" in spelled
        assert in_one_line(spelled) == spelled
    assert in_one_line("a\n\x1b\u3164\udce9") == r"a\n\x1b\u3164\udce9"


def test_a_document_holds_the_very_name(run_main: Run, trained: Path, tmp_path: Path) -> None:
    path = draw(tmp_path / os.fsdecode(b"caf\xe9\x1b\n.png"))
    checkpoint = (trained / "runs" / "latest").resolve()
    _, out, _ = run_main("predict", path, "--checkpoint", checkpoint, "--json", encoding="ascii")
    assert os.fsencode(json.loads(out)["predictions"][0]["path"]) == os.fsencode(path)


def test_a_path_keeps_its_bytes_in_a_pipe_only(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(os.fsdecode(b"caf\xe9\x1b[2J"))
    console.say(path)
    console.say(f"{path}: verified")
    monkeypatch.setattr(type(console.stdout), "is_terminal", True)
    console.say(path)
    spelled = rb"caf\udce9\x1b[2J"
    lines = [b"caf\xe9\x1b[2J", spelled + b": verified", spelled]
    assert capfdbinary.readouterr().out.splitlines() == lines


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_letters_that_the_encoding_lacks_are_spelled_out(
    run_main: Run, trained: Path, tmp_path: Path, encoding: str
) -> None:
    path = draw(tmp_path / f"{READABLE}.png")
    checkpoint = (trained / "runs" / "latest").resolve()
    code, out, _ = run_main("predict", path, "--checkpoint", checkpoint, encoding=encoding)
    assert code == 0
    assert r"\u732b\u72ac" in out


def test_settings_may_name_a_folder_that_is_not_utf8(run_main: Run, tmp_path: Path) -> None:
    config = tmp_path / "resolved.yaml"  # as a run in such a folder writes it
    config.write_text(r'data: {name: folder, root: "/caf\U0000dce9"}')
    assert run_main("config", "check", config)[0] == 0


def test_a_legend_names_classes_that_begin_with_an_underscore() -> None:
    drawn = draw_embedding(
        torch.eye(2), torch.arange(2), ("_a", "b"), axis_names=("x", "y"), title=""
    )
    legend = drawn.axes[0].get_legend()
    assert legend and [text.get_text() for text in legend.get_texts()] == ["_a", "b"]


def test_a_refusal_that_quotes_half_a_surrogate_pair_reaches_the_page() -> None:
    assert json.loads(server._as_json({"error": "\ud800"})[1]) == {"error": "\ud800"}


def test_advice_about_a_path_that_begins_with_a_dash_works() -> None:
    command = evaluate_command(Path("-rf/best.ckpt"), ShapesConfig(name="shapes"))
    assert command == "cnn-train evaluate ./-rf/best.ckpt"
