"""docs/zoo.json, its page and the headers of configs say the same, of recipes as they are."""

import json
import re
from pathlib import Path

import pytest
from zoo_campaign.page import render_page
from zoo_campaign.publish import BEGIN, END, TABLE, page_of
from zoo_campaign.recipes import RECIPES
from zoo_campaign.records import RowRecord, is_current, load_rows
from zoo_campaign.summary import duration, measured_words, percent, summarize_rows, with_spread

from cnn_train.config.shipped import read_header

FEWEST_ROWS = 14


@pytest.fixture(scope="module")
def rows(repository: Path) -> dict[str, RowRecord]:
    return load_rows(repository / TABLE)


def test_enough_rows_are_measured(rows: dict[str, RowRecord]) -> None:
    assert len([name for name, row in rows.items() if row.runs]) >= FEWEST_ROWS


def test_every_run_is_of_the_recipe_as_it_ships(repository: Path) -> None:
    stored = json.loads((repository / TABLE).read_text("utf-8"))
    assert stored.keys() <= RECIPES.keys()
    for name, row in stored.items():
        assert is_current(row["settings"], RECIPES[name]), f"measure {name} again"


def test_all_runs_are_measured_on_the_same_images(rows: dict[str, RowRecord]) -> None:
    runs = [run for row in rows.values() for run in row.runs]
    assert len({run["test_fingerprint"] for run in runs}) == 1
    assert all(run["num_test"] == 5000 for run in runs)


def test_the_page_is_what_the_figures_say(repository: Path, rows: dict[str, RowRecord]) -> None:
    page = page_of(repository / TABLE).read_text("utf-8")
    written = page.partition(BEGIN)[2].partition(END)[0]
    assert written.strip() == render_page(summarize_rows(rows), rows)


def test_every_header_agrees_with_its_row(repository: Path, rows: dict[str, RowRecord]) -> None:
    for row in summarize_rows(rows):
        if not row.recipe.settings:
            path = repository / "configs" / f"{row.recipe.config}.yaml"
            facts = read_header(path.read_text("utf-8")).facts
            assert facts["Measured"] == measured_words(row), row.name
            assert facts["Hardware"] == row.all_hardware, row.name


def test_the_readme_shows_rows_as_they_are(repository: Path, rows: dict[str, RowRecord]) -> None:
    readme = (repository / "README.md").read_text("utf-8")
    shown = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \| (\d+) \|$", readme, re.MULTILINE)
    known = {row.name: row for row in summarize_rows(rows)}
    assert len(shown) >= 5
    for name, *cells in shown:
        row, views = known[name], known[name].of("views_accuracy")
        assert views
        expected = [
            duration(row.seconds),
            with_spread(row.accuracy),
            with_spread(views),
            str(row.n),
        ]
        assert cells == expected, name


def test_the_readme_begins_with_the_best_row(repository: Path, rows: dict[str, RowRecord]) -> None:
    best = max(summarize_rows(rows), key=lambda row: row.accuracy.mean)
    views = best.of("views_accuracy")
    assert views
    expected = (
        f"`{best.name}` gets {percent(best.accuracy.mean)} % of CIFAR-10's test images right "
        f"(a JPEG copy; {percent(views.mean)} % with views) after {duration(best.seconds)}"
    )
    start = (repository / "README.md").read_text("utf-8").partition("```")[0]
    assert expected in " ".join(start.split())
