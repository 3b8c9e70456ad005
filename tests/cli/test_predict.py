import csv
import io
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from cnn_train import load_model, predict
from cnn_train.checkpoints.pretrained import list_cards
from cnn_train.cli import present as presenting
from cnn_train.cli.display import picture as picture_display
from cnn_train.page import Block, bar, texts


@pytest.fixture
def run(cnn_train, monkeypatch, tmp_path):
    monkeypatch.setenv("CNN_TRAIN_DATA", str(tmp_path / "data"))
    return partial(cnn_train, "predict")


def is_hinge(checkpoint: Path) -> bool:
    return checkpoint.parent.name.startswith("hinge")


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.new("RGB", (40, 24), "red").save(folder / "[bold]red.png")
    Image.new("RGB", (24, 40), "teal").save(folder / "teal.jpg")
    return folder


def test_json_is_one_document_with_the_documented_keys(run, checkpoint, photos):
    outcome = run("photos", "--checkpoint", checkpoint, "--json", "--top-k", 3)
    document = outcome.document
    assert outcome.exit_code == 0
    assert set(document) == {"checkpoint", "predictions", "errors"}
    assert [one["path"] for one in document["predictions"]] == [
        "photos/[bold]red.png", "photos/teal.jpg"
    ]  # fmt: skip
    for one in document["predictions"]:
        assert set(one) == {
            "path", "label", "index", "score", "probability", "margin", "top", "notices"
        }  # fmt: skip
        assert (one["probability"] is None) == is_hinge(checkpoint)
        assert [set(entry) for entry in one["top"]] == [
            {"label", "index", "score", "probability"}
        ] * 3
        assert one["top"][0]["probability"] == one["probability"]
        assert one["top"][0]["index"] == one["index"]
    assert document["errors"] == []


def test_pythons_predict_gives_the_same_labels(run, checkpoint, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (12, 20, 31, 3), dtype=np.uint8)
    names = [f"{i}.png" for i in range(12)]
    for name, pixels_HWC in zip(names, noise, strict=True):
        image = Image.fromarray(pixels_HWC)
        image.getexif()[0x0112] = 6  # stored lying on its side
        image.save(tmp_path / name, exif=image.getexif())
    document = run(*names, "--checkpoint", checkpoint, "--json").document
    expected = [one["label"] for one in document["predictions"]]
    assert len(set(expected)) > 1
    model = load_model(checkpoint.parent, device="cpu")
    assert predict(model, names) == expected
    assert predict(model, [Path(name) for name in names]) == expected
    assert predict(model, [Image.open(name) for name in names]) == expected
    assert predict(model, [names[3], names[3], names[0]]) == [*[expected[3]] * 2, expected[0]]
    assert predict(model, Path(names[2])) == predict(model, names[2]) == [expected[2]]
    assert predict(model, Image.open(names[2])) == [expected[2]]


def test_the_screen_shows_path_class_and_bars_with_markup_taken_literally(run, checkpoint, photos):
    outcome = run("photos", "--checkpoint", checkpoint)
    out = outcome.stdout
    best = run("photos", "--checkpoint", checkpoint, "--json").document["predictions"][0]
    assert outcome.exit_code == 0
    assert "photos/[bold]red.png\n" in out
    assert ("scores, not probabilities" in out) == is_hinge(checkpoint)
    answer = out.splitlines()[1].strip()
    if is_hinge(checkpoint):
        runner_up = best["top"][1]
        lead = best["score"] - runner_up["score"]
        assert answer == f"{best['label']}, {lead:.2f} ahead of {runner_up['label']}"
    else:
        assert answer == f"{best['label']} {100 * best['probability']:.1f} %"
    assert "\x1b" not in out and "▀" not in out


def test_the_latest_runs_best_checkpoint_is_the_default(run, checkpoint, photos):
    by_default = run("photos", "--run-root", checkpoint.parent.parent, "--json").document
    named = run("photos", "--checkpoint", checkpoint, "--json").document
    assert by_default["predictions"] == named["predictions"]
    assert Path(by_default["checkpoint"]).resolve() == checkpoint.resolve()


def test_bad_files_are_one_line_each_and_exit_3_after_the_others(run, checkpoint, photos):
    (photos / "text.jpg").write_text("not a picture")
    arguments = ("photos", "missing.png", "*.bmp", "--checkpoint", checkpoint)
    outcome = run(*arguments)
    assert outcome.exit_code == 3
    assert "photos/teal.jpg" in outcome.stdout
    errors = [line for line in outcome.stderr.splitlines() if line.startswith("error: ")]
    assert [line.split(": ")[1] for line in errors] == ["*.bmp", "photos/text.jpg", "missing.png"]
    outcome = run(*arguments, "--json")
    document = outcome.document
    assert (outcome.exit_code, len(document["predictions"])) == (3, 2)
    assert [one["path"] for one in document["errors"]] == [
        "*.bmp", "photos/text.jpg", "missing.png"
    ]  # fmt: skip
    assert all(set(one) == {"path", "message"} for one in document["errors"])


def test_a_folders_files_are_recognised_by_content_as_fit_does(run, checkpoint, photos):
    (photos / "teal.jpg").rename(photos / "teal")
    (photos / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    (photos / "b.jxl").write_bytes(b"\xff\x0a" + bytes(40))
    (photos / "Thumbs.db").write_bytes(b"\0")
    outcome = run("photos", "--checkpoint", checkpoint, "--json")
    assert outcome.exit_code == 3
    assert [one["path"] for one in outcome.document["predictions"]] == [
        "photos/[bold]red.png", "photos/teal"
    ]  # fmt: skip
    messages = [one["message"] for one in outcome.document["errors"]]
    assert [message.partition(";")[0] for message in messages] == [
        "photos/a.heic: is a HEIC image, which Pillow cannot read",
        "photos/b.jxl: is a JPEG XL image, which Pillow cannot read",
    ]


def test_out_draws_a_picture_of_what_the_network_saw(run, checkpoint, photos, tmp_path):
    assert run("photos", "--checkpoint", checkpoint, "--out", "seen.png").exit_code == 0
    assert (tmp_path / "seen.png").read_bytes().startswith(b"\x89PNG")


def test_where_nothing_was_trained_the_best_model_that_ships_answers(run, photos):
    best = list_cards()[0].address
    asked = run("photos", "--checkpoint", best, "--json")
    unasked = run("photos", "--run-root", "empty", "--json")
    assert (unasked.exit_code, unasked.document["checkpoint"]) == (0, best)
    assert unasked.document == asked.document
    first, rest = unasked.stderr.split("\n", 1)
    assert first.startswith(f"no trained model below empty, so {best} answers: ")
    assert rest == asked.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "IMAGE"),
        (["photos", "--checkpoint", "pretrained:nofile"], 4, "pretrained:nofile: no such model"),
        (["photos", "--checkpoint", "missing.ckpt"], 4, "missing.ckpt"),
        (["photos", "--checkpoint", "CHECKPOINT", "--top-k", "0"], 2, "top-k"),
        (["photos", "--checkpoint", "CHECKPOINT", "--out", "seen.gif"], 2, "seen.gif"),
    ],
)
def test_a_mistake_is_one_line_and_its_exit_code(run, checkpoint, photos, arguments, code, message):
    named = [checkpoint if argument == "CHECKPOINT" else argument for argument in arguments]
    outcome = run(*named)
    assert (outcome.exit_code, message in outcome.stderr) == (code, True), outcome.stderr
    assert "Traceback" not in outcome.stderr


def terminal(monkeypatch, **options) -> Console:
    """Let the displays write to a terminal of a test's own."""
    settings = {"force_terminal": True, "color_system": "truecolor", "width": 80, **options}
    console = Console(file=io.StringIO(), highlight=False, _environ={}, **settings)
    monkeypatch.setattr(picture_display, "stdout", console)
    monkeypatch.setattr(presenting, "stdout", console)
    return console


@pytest.mark.parametrize("height", [8, 7])
def test_a_rendered_picture_holds_exactly_the_pixels(height):
    generator = torch.Generator().manual_seed(0)
    image_CHW = torch.randint(256, (3, height, 8), dtype=torch.uint8, generator=generator)
    picture = picture_display.render_picture(image_CHW)
    rows = picture.split("\n")
    assert [row.plain for row in rows] == ["▀" * 8] * 4
    styles = [[Console().get_style(span.style) for span in row.spans] for row in rows]
    for y in range(height):
        for x in range(8):
            style = styles[y // 2][x]
            colour = style.color if y % 2 == 0 else style.bgcolor
            assert list(colour.triplet) == image_CHW[:, y, x].tolist()


def test_large_images_are_thinned_to_the_pictures_width():
    picture = picture_display.render_picture(torch.zeros(3, 96, 96, dtype=torch.uint8))
    assert {len(row) for row in picture.split("\n")} == {32}


def test_a_terminal_with_colours_shows_the_picture_beside_the_answer(
    run, checkpoint, photos, monkeypatch
):
    console = terminal(monkeypatch)
    assert run("photos/teal.jpg", "--checkpoint", checkpoint).exit_code == 0
    assert console.file.getvalue().count("▀") == 16 * 16 / 2


@pytest.mark.parametrize(
    "options",
    [
        {"force_terminal": False},
        {"no_color": True},
        {"color_system": None},
        {"color_system": "standard"},
        {"width": 40},
    ],
)
def test_without_colours_or_room_there_is_no_picture(monkeypatch, options):
    terminal(monkeypatch, **options)
    assert not picture_display.can_show_pictures()


def test_bars_are_ascii_where_the_terminal_knows_no_more(monkeypatch):
    console = terminal(monkeypatch)
    block = Block(columns=texts("", ""), rows=(("cat", bar(0.5, 10)),))
    presenting.show([block])
    monkeypatch.setattr(Console, "encoding", "ascii")
    assert console.options.ascii_only
    presenting.show([block])
    rows = [line.split() for line in console.file.getvalue().splitlines()]
    assert rows == [["cat", "█████"], ["cat", "#####"]]


@pytest.mark.parametrize("share", [-0.5, 0.0, 1.0, 1.5])
def test_bars_stay_within_their_width(share):
    assert len(bar(share, 10)) in (0, 10)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_has_the_answers_of_json_and_a_row_for_every_file(run, checkpoint, photos, tmp_path):
    Image.new("RGB", (20, 20), "navy").save(photos / 'a "new"\nline, here.png')
    arguments = ("photos", "missing.png", "--checkpoint", checkpoint, "--top-k", 2)
    document = run(*arguments, "--json", "--csv", "answers.csv").document
    rows = rows_of((tmp_path / "answers.csv").read_bytes().decode())
    assert [row["path"] for row in rows] == [
        *(one["path"] for one in document["predictions"]), "missing.png"
    ]  # fmt: skip
    for row, one in zip(rows, document["predictions"], strict=False):
        second = one["top"][1]
        number = "" if is_hinge(checkpoint) else str(one["probability"])
        assert (row["predicted"], row["probability"]) == (one["label"], number)
        assert (float(row["score"]), float(row["margin"])) == (one["score"], one["margin"])
        assert (row["class 2"], float(row["score 2"])) == (second["label"], second["score"])
        assert row["error"] == ""
    assert (rows[-1]["predicted"], rows[-1]["error"]) == ("", document["errors"][0]["message"])
    alone = run(*arguments, "--csv", "-")
    assert alone.exit_code == 3
    assert alone.stdout == (tmp_path / "answers.csv").read_bytes().decode()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--csv", "-", "--json"], "both want stdout"),
        (["--csv", "nowhere/answers.csv"], "create it first"),
        (["--csv", "photos"], "is a directory"),
    ],
)
def test_a_table_that_cannot_be_written_is_refused_first(
    run, checkpoint, photos, arguments, message
):
    outcome = run("photos", "--checkpoint", checkpoint, *arguments)
    assert (outcome.exit_code, message in outcome.stderr) == (2, True)
    assert "Predicting" not in outcome.stderr
