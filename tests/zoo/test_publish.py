"""What was measured reaches the page, the pictures and the headers, and nothing else moves."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from publishing import fill_between, set_header_fact
from zoo_campaign.figures import draw_costs, draw_losses, pareto_front
from zoo_campaign.publish import BEGIN, END, TABLE, page_of, publish, publish_around
from zoo_campaign.recipes import RECIPES
from zoo_campaign.records import RowRecord, add_runs, load_rows, save_run, settings_of
from zoo_campaign.repeat import verdict
from zoo_campaign.summary import Summary, measured_words, summarize_rows

from cnn_train.config.shipped import read_header
from cnn_train.errors import UsageError

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
        "calibration_error": 0.05, "own_cores": 1.9, "other_cores": 0.05, "images": "photos",
        "measured": "2026-01-01T00:00:00+00:00",
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
    (tmp_path / TABLE).unlink(missing_ok=True)
    return tmp_path


def test_a_row_says_mean_spread_and_interval_as_worked_out_by_hand() -> None:
    row = summary("mlp", 0.50, 0.52, 0.54)
    assert row.accuracy.mean == pytest.approx(0.52) and row.accuracy.sd == pytest.approx(0.02)
    half = 4.302653 * 0.02 / 3**0.5  # Student's t of two degrees
    assert row.interval == pytest.approx((0.52 - half, 0.52 + half), abs=1e-6)
    another = 4.302653 * 0.02 * (4 / 3) ** 0.5
    assert row.range_of_another_run == pytest.approx((0.52 - another, 0.52 + another), abs=1e-6)
    assert row.slices == pytest.approx(0.52 * 0.75)
    assert measured_words(row) == (
        "1 min 1 s of training; validation 53.0 %, test 52.0 ± 2.0 %, with views "
        "54.0 ± 2.0 % (n = 3)"
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


def test_a_time_is_that_of_one_kind_of_hardware(copy: Path) -> None:
    row = make_row("mlp", 0.5, 0.5, 0.5)
    row.runs[0] |= {"processor": "Another", "seconds": 500.0, "images_per_second": 1.0}
    row.runs[0] |= {"other_cores": 1.0}
    (mixed,) = summarize_rows({"mlp": row})
    assert mixed.seconds == 61.5 and mixed.images_per_second == 1000 and not mixed.is_disturbed
    publish({"mlp": row}, copy / TABLE)
    publish_around({"mlp": row}, copy)
    page = page_of(copy / TABLE).read_text()
    assert "| `mlp` | 1 min 2 s | 1,000 | A | 1.000 |" in page
    assert "| A | 2 cores, Some CPU, float32 |\n| B | 2 cores, Another, float32 |" in page
    assert read_header((copy / "configs" / "mlp.yaml").read_text()).facts["Hardware"] == (
        "2 cores, Some CPU, float32 (its time); other seeds: 2 cores, Another, float32"
    )


def test_a_repeat_has_the_same_bits_or_lies_in_the_range_or_does_not() -> None:
    row = summary("mlp", 0.50, 0.52, 0.54)
    assert verdict(row, make_run(0, 0.5)) == "the same bits"
    elsewhere = make_run(0, 0.55, weights_sha256="1", processor="Another")
    assert verdict(row, elsewhere) == "other bits, within 42.06–61.94 %"
    far = make_run(0, 0.62, weights_sha256="1", processor="Another")
    assert verdict(row, far) == "other bits, outside 42.06–61.94 %"
    here = make_run(0, 0.55, weights_sha256="1")
    assert verdict(row, here).endswith(" %, though on the same processor")


def test_the_front_holds_what_nothing_cheaper_reaches() -> None:
    points = [(3.0, 9.0), (1.0, 5.0), (2.0, 4.0), (3.0, 8.0), (4.0, 9.0)]
    assert pareto_front(points) == [(1.0, 5.0), (3.0, 9.0)]


def test_all_is_written_and_read_again(copy: Path) -> None:
    rows = {"mlp": make_row("mlp", 0.5, 0.52), "mlp_hinge": make_row("mlp_hinge", 0.45)}
    header = (copy / "configs" / "mlp.yaml").read_text()
    publish(rows, copy / TABLE)
    publish_around(rows, copy)
    assert load_rows(copy / TABLE) == rows
    facts = read_header((copy / "configs" / "mlp.yaml").read_text()).facts
    (first, _) = summarize_rows(rows)
    assert facts["Measured"] == measured_words(first)
    assert facts["Hardware"] == "2 cores, Some CPU, float32"
    assert facts["Command"] == read_header(header).facts["Command"]
    page = page_of(copy / TABLE).read_text()
    assert page.index(BEGIN) < page.index("| `mlp` | MLP | cross-entropy | 1,000 |")
    assert "In 0 of 3 runs no epoch was better" in page
    assert "lies 1.33 points above the last one on validation images (at most 2.00)" in page
    assert "and 1.00 points above itself on the test images" in page
    assert "**51.0 ± 1.4**" in page and "**45.0**" in page
    assert "\n* On a GPU: `speedrun_gpu`, " in page and "* On two CPU cores: `linear_c" in page
    assert "`photos`, 1,000 test images" in page and "| A | 2 cores, Some CPU, float32 |" in page
    publish(rows, copy / TABLE)
    assert page_of(copy / TABLE).read_text() == page and page.count(END) == 1
    publish(rows, copy / "other.json")
    assert (copy / "other.md").read_text().startswith("# other\n")


def test_runs_of_a_recipe_that_was_changed_since_are_left_out(tmp_path: Path) -> None:
    old = settings_of(RECIPES["mlp"]) | {"epochs": 3}
    gone = settings_of(RECIPES["lenet_hinge"]) | {"no_such_setting": 1}
    hinge, files = RECIPES["lenet_hinge"], [tmp_path / f"{number}.json" for number in range(5)]
    save_run(RECIPES["mlp"], old, make_run(0, 0.9), files[0])
    save_run(hinge, gone, make_run(0, 0.9), files[1])
    save_run(hinge, settings_of(hinge), make_run(1, 0.5, measured="2026-01-03"), files[2])
    save_run(hinge, settings_of(hinge), make_run(1, 0.4, measured="2026-01-02"), files[3])
    files[4].write_text('{"row": "mlp"')
    rows: dict[str, RowRecord] = {}
    for _ in range(2):
        add_runs(rows, files, as_repeats=False)
    assert rows.keys() == {"lenet_hinge"}
    assert [run["test_accuracy"] for run in rows["lenet_hinge"].runs] == [0.5]  # the later one
    add_runs(rows, files[2:3], as_repeats=True)
    add_runs(rows, files[2:3], as_repeats=True)
    assert len(rows["lenet_hinge"].repeats) == 1
    table = tmp_path / "table.json"
    table.write_text(json.dumps({"mlp": {"settings": old, "runs": [], "repeats": []}}))
    assert load_rows(table) == {}


def test_runs_on_other_images_and_a_damaged_table_are_refused(tmp_path: Path) -> None:
    rows = {"mlp": make_row("mlp", 0.5)}
    other = tmp_path / "other.json"
    save_run(
        RECIPES["mlp"], settings_of(RECIPES["mlp"]), make_run(1, 0.5, test_fingerprint="1"), other
    )
    with pytest.raises(UsageError, match="measured on photos, which are other test images"):
        add_runs(rows, [other], as_repeats=False)
    for text in ('{"mlp": ', '{"mlp": {"no": 1}}', "[]"):
        other.write_text(text)
        with pytest.raises(UsageError, match=r"other\.json: damaged"):
            load_rows(other)


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


def test_a_fact_of_several_lines_is_replaced_as_a_whole(tmp_path: Path) -> None:
    config = tmp_path / "net.yaml"
    config.write_text("# A net.\n# Measured: old,\n#           older\n# Data:     x\nepochs: 3\n")
    set_header_fact(config, "Measured", "new " * 30)
    new = config.read_text()
    facts = read_header(new).facts
    assert facts["Measured"] == ("new " * 30).strip() and facts["Data"] == "x"
    assert all(len(line) <= 98 for line in new.splitlines()) and new.endswith("\nepochs: 3\n")
    with pytest.raises(UsageError, match="its header has no line '# GPU: …'"):
        set_header_fact(config, "GPU", "fast")


def test_a_page_without_its_marks_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    for text in ("words", BEGIN, END + BEGIN, BEGIN + BEGIN + END):
        page.write_text(text)
        with pytest.raises(UsageError, match="needs these two lines once"):
            fill_between(page, BEGIN, END, "figures")
        assert page.read_text() == text


def test_times_of_other_hardware_have_a_mark_and_a_line_of_their_own() -> None:
    here = [summary("mlp", 0.5), summary("fast_cpu", 0.8)]  # equally long: the better is the front
    faster = summary("wrn16_2", 0.9, processor="Another", seconds=1.0)
    axes = draw_costs([*here, faster]).axes[0]
    assert axes.get_xlabel().splitlines()[1:] == [
        "round: 2 cores, Some CPU, float32", "diamonds: 2 cores, Another, float32"
    ]  # fmt: skip
    lines = [list(line.get_ydata()) for line in axes.get_lines()]
    assert lines == [pytest.approx([80.0]), pytest.approx([90.0])]
    round_mark, other_mark = (axes.collections[i].get_paths()[0] for i in (0, 2))
    assert len(round_mark.vertices) != len(other_mark.vertices)
