"""A campaign at toy size: it trains, evaluates, is stopped, goes on, repeats and publishes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from zoo_campaign.campaign import measure_missing, measured_files
from zoo_campaign.measuring import NotDoneError, Place, measure, run_name, train
from zoo_campaign.recipes import RECIPES, Recipe
from zoo_campaign.records import RowRecord, settings_of
from zoo_campaign.repeat import repeat_row

from cnn_train.errors import UsageError

ROW = "linear_cross_entropy"
TOY = ("data={name: shapes, num_train: 60, num_test: 30, val_fraction: 0.2}", "epochs=2")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(None, tmp_path / "zoo", tmp_path / "data", device="cpu", more=TOY)


def recipes(*names: str) -> dict[str, Recipe]:
    return {name: RECIPES[name] for name in names}


def run_all(place: Place, *names: str, seeds: int = 1, seconds: float | None = None) -> list[str]:
    said: list[str] = []
    failures = measure_missing(recipes(*names), seeds, place, {}, seconds, said.append)
    return [*said, *(f"FAILED {failure}" for failure in failures)]


def test_a_row_is_trained_once_and_evaluated_once(place: Place) -> None:
    said = run_all(place, ROW)
    assert said[0] == f"{ROW}, seed 0 …" and " % in " in said[1]
    assert run_all(place, ROW) == []  # it is there
    (path,) = measured_files(place.folder)
    run = json.loads(path.read_text())["run"]
    assert run["num_test"] == 30 and run["num_train"] == 48 and run["epochs"] == 2
    assert run["parameters"] == 10 * (3 * 32 * 32 + 1)
    assert 0 <= run["test_accuracy"] <= 1 and run["nll"] > 0 and len(run["slices"]) == 14
    assert run["seconds"] < run["command_seconds"] and run["own_cores"] > 0
    assert len(run["weights_sha256"]) == 64


def test_a_row_out_of_time_is_stopped_and_gone_on_with(place: Place) -> None:
    with pytest.raises(NotDoneError, match="stopped, and saved"):
        train(ROW, RECIPES[ROW], 0, place, 0.1)
    run, facts = train(ROW, RECIPES[ROW], 0, place, None)
    assert len(run.load_metrics()) == 2 and facts["command_seconds"] > 0
    again, facts = train(ROW, RECIPES[ROW], 0, place, None)  # only the evaluation was missing
    assert (again.path, facts) == (run.path, {})
    longer = replace(place, more=(*TOY, "epochs=3"))
    assert run_name(ROW, 0, longer) != run_name(ROW, 0, place) == run.name


def test_what_another_process_holds_is_left_to_it(place: Place) -> None:
    place.folder.mkdir(parents=True)
    with FileLock(place.folder / f".{ROW}-seed0.lock"):
        assert run_all(place, ROW) == [f"{ROW}, seed 0: another process has it"]
    assert run_all(place, ROW, seconds=0) == ["the budget is spent; the same command goes on"]


def test_a_row_that_cannot_be_trained_is_named_and_the_next_one_begun(place: Place) -> None:
    small = replace(place, more=(*TOY, "progressive_size={stages: [[16, 0.5]]}"))
    said = run_all(small, "vgg16_quarter_width", "fastnet_small")
    refused = "vgg16_quarter_width, seed 0: error: progressive_size: images of 16×16 pixels"
    assert said[1].startswith(refused) and said[-1] == f"FAILED {said[1]}"
    assert said[3].startswith("fastnet_small, seed 0: test ")


def test_weights_have_one_digest_whenever_they_are_trained(place: Place, tmp_path: Path) -> None:
    first = measure(ROW, RECIPES[ROW], 0, place, None)
    rows = {ROW: RowRecord(settings_of(RECIPES[ROW], *TOY), [first])}
    assert repeat_row(ROW, rows, place, tmp_path / "again") == f"{ROW}, seed 0: the same bits"
    (again,) = rows[ROW].repeats
    assert again["test_accuracy"] == first["test_accuracy"] and again["verdict"]
    with pytest.raises(UsageError, match=f"--repeat mlp: choose a row that is measured: {ROW}"):
        repeat_row("mlp", rows, place, tmp_path)
