"""A campaign at toy size: it trains, evaluates, is stopped, goes on and repeats."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from zoo_campaign.campaign import Unit, measure_missing, results_in
from zoo_campaign.recipes import RECIPES
from zoo_campaign.records import Facts, RowRecord, load_run, settings_of
from zoo_campaign.repeat import repeat_row, verdict
from zoo_campaign.summary import summarize_rows
from zoo_campaign.training import NotDoneError, Place, run_name, shown_command, train

from cnn_train.errors import UsageError
from cnn_train.machine.file_lock import acquire

ROW = RECIPES["linear_cross_entropy"]
TOY = ("data={name: shapes, num_train: 60, num_test: 30, val_fraction: 0.2}", "epochs=2")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(None, tmp_path / "zoo", tmp_path / "data", device="cpu", more=TOY)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Return the folder of a campaign that measured one row, and what it said."""
    tmp_path, said = tmp_path_factory.mktemp("zoo"), list[str]()
    place = Place(None, tmp_path / "zoo", tmp_path / "data", device="cpu", more=TOY)
    assert measure_missing([ROW], 1, place, {}, None, said.append) == 0
    return place.folder, said


@pytest.fixture
def copied(place: Place, measured: tuple[Path, list[str]]) -> Facts:
    """Give ``place`` a copy of that campaign; return its run."""
    shutil.copytree(measured[0], place.folder)
    result = load_run(Unit(ROW, 0, place).result)
    assert result
    return result[2]


def run_all(place: Place, *, seconds: float | None = None) -> list[str]:
    said: list[str] = []
    assert measure_missing([ROW], 1, place, {}, seconds, said.append) == 0
    return said


def test_a_row_is_trained_and_evaluated(measured: tuple[Path, list[str]], copied: Facts) -> None:
    said = measured[1]
    assert said[:2] == ["1 of 1 runs are missing", f"{ROW.name}, seed 0: 1 of 1 …"]
    assert said[2].startswith(f"{ROW.name}, seed 0: test ")
    assert (copied["num_test"], copied["num_train"], copied["epochs"]) == (30, 48, 2)
    assert copied["parameters"] == 10 * (3 * 32 * 32 + 1)
    assert 0 <= copied["test_accuracy"] <= 1 and copied["nll"] > 0 and len(copied["slices"]) == 14
    assert copied["seconds"] < copied["command_seconds"] and copied["own_cores"] > 0
    assert copied["images"] == "cifar10" and len(copied["weights_sha256"]) == 64


def test_what_is_measured_is_left_alone_unless_its_file_is_torn(
    place: Place, copied: Facts
) -> None:
    assert run_all(place) == ["0 of 1 runs are missing"]
    path = Unit(ROW, 0, place).result
    path.write_text(path.read_text()[:50])
    run_all(place)  # training is over: only the evaluation is done again
    result = load_run(path)
    assert result and result[2]["weights_sha256"] == copied["weights_sha256"]
    assert "command_seconds" not in result[2]  # which only the process that trained it knew


def test_a_row_is_left_to_who_holds_it_and_to_the_next_time(place: Place) -> None:
    place.folder.mkdir()
    with acquire(Unit(ROW, 0, place).lock, when_busy=lambda: None):
        assert run_all(place)[-1] == f"{ROW.name}, seed 0: another process has it"
    assert run_all(place, seconds=0)[-1] == "the budget is spent; the same command goes on"
    with pytest.raises(NotDoneError, match="out of time"):
        train(ROW, 0, place, 0.01)
    assert results_in(place.folder) == []


def test_a_row_that_cannot_be_trained_is_named_and_the_next_one_begun(place: Place) -> None:
    small = replace(place, more=(*TOY, "progressive_size={stages: [[16, 0.5]]}"))
    said: list[str] = []
    recipes = [RECIPES["vgg16_quarter_width"], RECIPES["fastnet_small"]]
    assert measure_missing(recipes, 1, small, {}, None, said.append) == 1
    assert said[2].startswith("vgg16_quarter_width, seed 0: error: progressive_size: images of 16")
    assert said[4].startswith("fastnet_small, seed 0: test ")


def test_another_recipe_and_other_images_begin_another_run(place: Place, tmp_path: Path) -> None:
    others = [replace(place, more=(*TOY, "epochs=3")), replace(place, images=tmp_path / "photos")]
    names = {run_name(ROW, 0, one) for one in [place, *others]}
    assert len(names) == 3 and all(name.startswith(f"{ROW.name}-seed0-") for name in names)
    assert not Unit(ROW, 0, others[1]).is_known({ROW.name: make_row({"images": "cifar10"})})


def make_row(run: Facts) -> RowRecord:
    return RowRecord(settings_of(ROW), [{"seed": 0} | run])


def test_a_repeat_has_the_same_bits(place: Place, copied: Facts) -> None:
    rows = {ROW.name: make_row(copied)}
    repeat_row(ROW.name, rows, place)
    (path,) = results_in(place.folder, "repeated")
    again = json.loads(path.read_text())["run"]
    assert again["command_seconds"] > 0  # it was trained once more
    assert again["test_accuracy"] == copied["test_accuracy"]
    assert verdict(summarize_rows(rows)[0], again) == "the same bits"


def test_a_repeat_needs_a_row_on_the_same_images(place: Place) -> None:
    with pytest.raises(UsageError, match=f"--repeat mlp: choose a row .*: {ROW.name}$"):
        repeat_row("mlp", {ROW.name: make_row({"images": "photos"})}, place)
    with pytest.raises(UsageError, match="measured on photos, not on cifar10"):
        repeat_row(ROW.name, {ROW.name: make_row({"images": "photos"})}, place)


def test_a_command_names_no_folder_of_this_machine(place: Place, tmp_path: Path) -> None:
    shown = shown_command(ROW, 2, replace(place, images=tmp_path / "photos", more=()))
    assert shown == (
        "cnn-train fit --config linear_cross_entropy --seed 2 "
        "--set 'data={name: folder, root: photos}'"
    )
