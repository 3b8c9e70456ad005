"""What was measured reaches the page, the pictures and the headers, and nothing else moves."""

import json
import shutil
from pathlib import Path
from statistics import stdev
from typing import Any

import pytest
from publishing import set_header_fact
from zoo_campaign.figures import draw_costs, draw_losses, pareto_front
from zoo_campaign.publish import BEGIN, END, JSON, PAGE, publish
from zoo_campaign.recipes import RECIPES
from zoo_campaign.records import RowRecord, add_runs, load_rows, save_run, settings_of
from zoo_campaign.repeat import compare
from zoo_campaign.summary import Summary, measured_words, summarize_rows

from cnn_train.config.shipped import read_header

REPOSITORY = Path(__file__).parents[2]


def make_run(seed: int, accuracy: float, **changes: Any) -> dict[str, Any]:
    return {
        "seed": seed, "command": "cnn-train fit --config mlp", "parameters": 1000, "macs": 900,
        "epochs": 2, "val_accuracy": accuracy + 0.01,
        "last_val_accuracy": accuracy - 0.01 * seed, "best_epoch": 0, "seconds": 60.0 + seed,
        "images_per_second": 1000.0, "num_train": 100, "fingerprints": {},
        "weights_sha256": f"{seed:064}", "cnn_train": "1.0.0", "torch": "2.15.0",
        "python": "3.11.7", "device": "cpu", "processor": "Some CPU", "threads": "2",
        "precision": "float32", "num_test": 1000, "test_fingerprint": "0", "commit": "abc",
        "test_accuracy": accuracy, "views_accuracy": accuracy + 0.02,
        "slices": {"shift": accuracy / 2, "noise": accuracy}, "nll": 1.0,
        "calibration_error": 0.05, "own_cores": 1.9, "other_cores": 0.05,
    } | changes  # fmt: skip


def make_row(name: str, *accuracies: float, **changes: Any) -> RowRecord:
    runs = [make_run(seed, accuracy, **changes) for seed, accuracy in enumerate(accuracies)]
    return RowRecord(settings_of(RECIPES[name]), runs)


def summary(name: str, *accuracies: float, **changes: Any) -> Summary:
    (only,) = summarize_rows({name: make_row(name, *accuracies, **changes)})
    return only


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("configs", "docs"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    (tmp_path / JSON).unlink(missing_ok=True)
    return tmp_path


def test_a_row_says_mean_spread_and_interval_as_worked_out_by_hand() -> None:
    row = summary("mlp", 0.50, 0.52, 0.54)
    assert row.accuracy.mean == pytest.approx(0.52) and row.accuracy.sd == pytest.approx(0.02)
    half = 4.302653 * 0.02 / 3**0.5  # Student's t of two degrees
    assert row.interval == pytest.approx((0.52 - half, 0.52 + half), abs=1e-6)
    another = 4.302653 * 0.02 * (4 / 3) ** 0.5
    assert row.range_of_another_run == pytest.approx((0.52 - another, 0.52 + another), abs=1e-6)
    assert row.slices == pytest.approx(0.52 * 0.75)
    assert stdev([0.5, 0.52, 0.54]) == pytest.approx(0.02)
    assert measured_words(row) == (
        "1 min 1 s of training; validation 53.0 %, test 52.0 ± 2.0 %, with --tta flip_translate "
        "54.0 ± 2.0 % (n = 3); docs/zoo.md has the rest"
    )


def test_one_run_has_the_interval_of_its_images_and_no_spread() -> None:
    row = summary("mlp", 0.5)
    low, high = row.interval
    assert (low, high) == row.range_of_another_run == pytest.approx((0.469, 0.531), abs=1e-3)
    assert "test 50.0 %, " in measured_words(row)


def test_a_time_beside_other_work_is_marked() -> None:
    quiet, busy = summary("mlp", 0.5), summary("mlp", 0.5, other_cores=0.7)
    assert not quiet.is_disturbed and busy.is_disturbed
    assert "1 min 0 s of training (beside other work);" in measured_words(busy)


def test_a_repeat_has_the_same_bits_or_lies_in_the_range_or_does_not() -> None:
    first = make_run(0, 0.5)
    assert compare(first, make_run(0, 0.5), 0.4, 0.6) == "the same bits"
    elsewhere = make_run(0, 0.55, weights_sha256="1", processor="Another")
    assert compare(first, elsewhere, 0.4, 0.6) == "other bits, 55.00 %, within 40.0–60.0 %"
    assert "outside 40.0–50.0 %" in compare(first, elsewhere, 0.4, 0.5)
    here = make_run(0, 0.55, weights_sha256="1")
    assert compare(first, here, 0.4, 0.6).endswith("though on the same processor")


def test_the_front_holds_what_nothing_cheaper_reaches() -> None:
    points = [(3.0, 9.0), (1.0, 5.0), (2.0, 4.0), (3.0, 8.0), (4.0, 9.0)]
    assert pareto_front(points) == [(1.0, 5.0), (3.0, 9.0)]


def test_all_is_written_and_read_again(copy: Path) -> None:
    rows = {"mlp": make_row("mlp", 0.5, 0.52), "mlp_hinge": make_row("mlp_hinge", 0.45)}
    header = (copy / "configs" / "mlp.yaml").read_text()
    publish(rows, copy)
    assert load_rows(copy / JSON) == rows
    facts = read_header((copy / "configs" / "mlp.yaml").read_text()).facts
    (first, _) = summarize_rows(rows)
    assert facts["Measured"] == measured_words(first)
    assert facts["Hardware"] == "2 cores, Some CPU, float32"
    assert facts["Command"] == read_header(header).facts["Command"]
    page = (copy / PAGE).read_text()
    assert page.index(BEGIN) < page.index("| `mlp` | MLP | cross-entropy | 1,000 |")
    assert "In 0 of 3 runs no epoch was better" in page
    assert "lies 1.33 points above the last one on validation images (at most 2.00)" in page
    assert "and 1.00 points above itself on the test images" in page
    assert "**51.0 ± 1.4**" in page and "**45.0**" in page
    assert "* `wrn28_10`, WRN-28-10: to be run on a GPU, `scripts/zoo --rows wrn28_10`" in page
    publish(rows, copy)
    assert (copy / PAGE).read_text() == page and page.count(END) == 1


def test_runs_of_a_recipe_that_was_changed_since_are_left_out(copy: Path, tmp_path: Path) -> None:
    old = settings_of(RECIPES["mlp"]) | {"epochs": 3}
    save_run("mlp", old, make_run(0, 0.9), tmp_path / "measured")
    save_run(
        "lenet_hinge", settings_of(RECIPES["lenet_hinge"]), make_run(1, 0.5), tmp_path / "measured"
    )
    rows: dict[str, RowRecord] = {}
    for _ in range(2):
        add_runs(rows, sorted((tmp_path / "measured").glob("*.json")))
    assert {name: len(row.runs) for name, row in rows.items()} == {"lenet_hinge": 1}
    document = {"mlp": {"settings": old, "runs": [], "repeats": []}}
    (copy / JSON).write_text(json.dumps(document))
    assert load_rows(copy / JSON) == {}


def test_pictures_name_what_they_show() -> None:
    rows = [
        summary("mlp", 0.5),
        summary("mlp_hinge", 0.4, 0.41),
        summary("fast_cpu", 0.8, seconds=99.0),
    ]
    costs, losses = draw_costs(rows), draw_losses(rows)
    left, right = costs.axes
    assert (left.get_xscale(), right.get_xlabel()) == ("log", "parameters")
    assert [text.get_text() for text in left.texts] == ["mlp", "fast_cpu"]
    assert [label.get_text() for label in losses.axes[0].get_yticklabels()] == ["MLP"]


def test_a_fact_of_several_lines_is_replaced_as_a_whole() -> None:
    text = "# A net.\n# Measured: old,\n#           older\n# Data:     x\nepochs: 3\n"
    new = set_header_fact(text, "Measured", "new " * 30)
    facts = read_header(new).facts
    assert facts["Measured"] == ("new " * 30).strip() and facts["Data"] == "x"
    assert all(len(line) <= 98 for line in new.splitlines()) and new.endswith("\nepochs: 3\n")
    assert set_header_fact(new, "GPU", "fast") == new
