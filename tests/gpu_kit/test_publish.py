"""Measured figures find their places; nothing else in the files moves."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from benchmarks.measuring import Spread
from benchmarks.rows import Row
from gpu_kit.publish import BEGIN, END, PAGE, publish_figures
from gpu_kit.steps import STEPS

from cnn_train.errors import UsageError

REPOSITORY = Path(__file__).parents[2]


def step(name: str, **rows: float) -> dict[str, Any]:
    made = [Row(name, figure, "", Spread.of([value])).to_json() for figure, value in rows.items()]
    return {"name": name, "state": "done", "why": "", "seconds": 1.0, "rows": made}


def write(path: Path, *steps: dict[str, Any], **settings: Any) -> Path:
    settings = {"toy": False, "images": "photos.tar", "processor": "Some GPU"} | settings
    document = {"started": "2026-01-01", "settings": settings, "steps": steps}
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("configs", "docs"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    return tmp_path


def test_figures_reach_the_page_and_the_headers_of_their_configs(copy: Path) -> None:
    speed = {"resnet18: fit beside a bare loop": 12345.6}
    first = write(copy / "1.json", step("environment", memory=1.0), step("speed:resnet18", **speed))
    schedule = {
        "resnet18: fit": 300.0, "resnet18: test accuracy, --tta none": 94.0,
        "resnet18: test accuracy, --tta flip_translate": 94.5,
    }  # fmt: skip
    second = write(copy / "2.json", step("schedule:resnet18", **schedule), processor="Another")
    before = {path: path.read_text() for path in copy.rglob("*") if path.suffix in (".yaml", ".md")}
    for _ in range(2):  # doing it again changes nothing more
        written = publish_figures([first, second], copy)
        assert written == [copy / PAGE, copy / "configs" / "resnet18.yaml"]
    header = (
        "# GPU:      12,346 images/s, all epochs in 300 s, test 94.0 %, with views 94.5 % "
        "(n = 1, Another;\n"
        "#           Some GPU)\n"
    )
    config = re.sub(r"# GPU: .*\n", header, before[written[1]])
    page = written[0].read_text()
    assert written[1].read_text() == config != before[written[1]]
    head, _, old = before[written[0]].partition(BEGIN)
    new = page.removeprefix(head).removesuffix(END + old.partition(END)[2])
    headings = re.findall("^#### (.*)", new, re.MULTILINE)
    assert headings == ["environment", "speed:resnet18", "schedule:resnet18"]
    assert "| resnet18: fit beside a bare loop |" in new
    for path in before.keys() - set(written):
        assert path.read_text() == before[path]


def test_of_a_step_the_last_results_count_and_a_skipped_one_has_none(copy: Path) -> None:
    files = [
        write(copy / "1.json", step("resume", first=1.0), step("messages", kept=2.0)),
        write(copy / "2.json", step("resume", second=3.0), step("messages")),
        write(copy / "3.json", step("messages")),
    ]
    page = publish_figures(files, copy)[0].read_text().partition(BEGIN)[2]
    assert page.count("### Figures from a GPU") == 2
    assert re.findall(r"^\| (first|second|kept) ", page, re.MULTILINE) == ["kept", "second"]


def test_accuracies_on_drawn_images_stay_out_of_the_headers(copy: Path) -> None:
    schedule = step("schedule:resnet18", **{"resnet18: test accuracy, --tta none": 94.0})
    assert publish_figures([write(copy / "1.json", schedule, images="drawn")], copy) == [
        copy / PAGE
    ]


def test_the_figures_of_a_toy_run_are_refused(copy: Path) -> None:
    with pytest.raises(UsageError, match="toy run"):
        publish_figures([write(copy / "1.json", toy=True)], copy)


def test_every_config_that_the_kit_measures_has_a_place_for_its_figures() -> None:
    names = {name.partition(":")[2] for name in STEPS if not name.startswith("speedrun:")} - {""}
    assert len(names) >= 5
    for name in names:
        assert "\n# GPU: " in (REPOSITORY / "configs" / f"{name}.yaml").read_text()
