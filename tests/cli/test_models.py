"""``cnn-train models``: the list, the layer table, their JSON, and how they fail."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cnn_train.cli import console
from cnn_train.cli.models import app
from cnn_train.errors import ConfigError, UsageError


@pytest.fixture(autouse=True)
def wide_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """The width was settled at import, perhaps by the terminal of the tests."""
    monkeypatch.setattr(console.stdout, "width", console.PIPE_WIDTH)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=True)


def run_well(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exception is None, result.exception
    return result.stdout


def test_the_trained_models_are_listed_and_their_cards_shown() -> None:
    document = json.loads(run_well("pretrained", "--json"))["pretrained"]
    cards = {card["checkpoint"]: card for card in document}
    assert [card["accuracy"] for card in document] == sorted(
        (card["accuracy"] for card in document), reverse=True
    )
    screen = run_well("pretrained")
    for address, card in cards.items():
        assert address in screen and f"{100 * card['accuracy']:.1f} %" in screen
        for name in (card["name"], address):
            assert json.loads(run_well("pretrained", name, "--json"))["pretrained"] == [card]
        assert f"| SHA-256 | {card['facts']['SHA-256']} |" in run_well("pretrained", name)
    assert "did you mean pretrained:speedrun?" in str(run("pretrained", "spedrun").exception)


@pytest.fixture(scope="module")
def listing() -> dict[str, dict[str, object]]:
    document = json.loads(run_well("--json"))
    assert document["image_shape"] == [3, 32, 32] and document["num_classes"] == 10
    return {row["name"]: row for row in document["architectures"]}


def test_the_list_names_every_architecture(listing: dict[str, dict[str, object]]) -> None:
    from cnn_train.models import ARCHITECTURES

    assert list(listing) == list(ARCHITECTURES)
    assert all(row["description"] and row["macs"] for row in listing.values())


def test_the_list_counts_parameters(listing: dict[str, dict[str, object]]) -> None:
    assert listing["linear"]["parameters"] == 30_730
    assert listing["wide_resnet"]["parameters"] == 36_479_194


def test_show_prints_each_layer_and_the_totals() -> None:
    lines = run_well("show", "vgg16").splitlines()
    conv3_2 = next(line for line in lines if line.startswith("conv3_2"))
    assert conv3_2.split() == (
        ["conv3_2", "Conv2d", "256×8×8", "256×8×8", "3×3+1", "589,824", "37,748,736", "32", "px"]
    )
    total = next(line for line in lines if line.startswith("total"))
    assert total.split() == ["total", "14,724,042", "313,201,664"]


def test_the_printed_counts_add_up_to_the_printed_totals() -> None:
    document = json.loads(run_well("show", "lenet", "--json"))
    layers = document["layers"]
    assert document["parameters"] == sum(layer["parameters"] for layer in layers) == 62_006
    assert document["macs"] == sum(layer["macs"] for layer in layers)
    table = run_well("show", "lenet")
    assert all(re.search(rf"^{layer['name']} ", table, re.MULTILINE) for layer in layers)
    heading, *rows = table.splitlines()
    for name, total in (("parameters", "62,006"), ("MACs", "651,720")):
        end = heading.index(name) + len(name)
        *column, last = (row[:end].split("  ")[-1].strip() for row in rows[: len(layers) + 1])
        assert all(re.fullmatch(r"(\d[\d,]*)?", cell) for cell in column) and last == total
        assert sum(int(cell.replace(",", "")) for cell in column if cell) == int(
            total.replace(",", "")
        )


@pytest.mark.parametrize(
    ("name", "width"), [("lenet", 40), ("lenet", 60), ("wide_resnet", 50), ("vgg16", 80)]
)
def test_in_a_narrow_window_columns_are_left_out_by_name_and_none_is_cut(
    monkeypatch: pytest.MonkeyPatch, name: str, width: int
) -> None:
    wide = run_well("show", name).splitlines()
    monkeypatch.setattr(console.stdout, "width", width)
    page = run_well("show", name)
    lines = page.splitlines()
    assert max(map(len, lines)) <= width and "…" not in page
    num_layers = next(i for i, line in enumerate(wide) if line.startswith("total")) - 1
    assert [line.split()[0] for line in lines[: num_layers + 2]] == [
        line.split()[0] for line in wide[: num_layers + 2]
    ]
    note = re.search(r"No room in this window for (.*?); --json has all", " ".join(page.split()))
    assert note is not None
    left_out = note.group(1).split(", ")
    assert set(lines[0].split()) == set(wide[0].split()) - set(left_out)


def test_settings_classes_and_image_size_change_what_is_shown() -> None:
    settings = ("--set", "model.depth=16", "--set", "model.width=4")
    sizes = ("--num-classes", "100", "--image-size", "64")
    document = json.loads(run_well("show", "wide_resnet", *settings, *sizes, "--json"))
    assert document["model"] == {"name": "wide_resnet", "depth": 16, "width": 4, "dropout": 0.0}
    assert document["layers"][-1]["output_shape"] == [100]
    assert document["layers"][0]["input_shape"] == [3, 64, 64]


def test_an_unknown_architecture_is_a_usage_error_with_the_nearest_name() -> None:
    result = run("show", "densnet121")
    assert isinstance(result.exception, UsageError)
    assert "'densnet121'; did you mean 'densenet121'?" in str(result.exception)


def test_a_wrong_setting_is_reported_as_in_configs() -> None:
    result = run("show", "vgg16", "--set", "model.widht=8")
    assert isinstance(result.exception, ConfigError)
    assert "--set model.widht=8" in str(result.exception)
    assert "did you mean 'width'?" in str(result.exception)


def test_images_that_are_too_small_are_a_config_error() -> None:
    assert isinstance(run("show", "vgg16", "--image-size", "16").exception, ConfigError)


def test_draw_lists_the_parts_and_draws_them(cnn_train: Callable[..., Any], tmp_path: Path) -> None:
    outcome = cnn_train("models", "draw", "resnet20", "--out", "net.svg")
    assert outcome.exit_code == 0, outcome.stderr
    assert "stage1  3 × basic block" in outcome.stdout and "269,722" in outcome.stdout
    picture = (tmp_path / "net.svg").read_text()
    assert "<svg" in picture and len(picture) > 5000
    wider = cnn_train("models", "draw", "resnet20", "--set", "model.width=32", "--json").document
    assert wider["parts"][0]["output_shape"] == [32, 32, 32]
    assert wider["parameters"] == sum(part["parameters"] for part in wider["parts"])
