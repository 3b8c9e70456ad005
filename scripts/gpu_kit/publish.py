"""Write measured figures to the places that wait for them: docs/performance.md and configs."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from publishing import fill_between, set_header_fact

from cnn_train.config.shipped import read_header
from cnn_train.errors import UsageError

from .results import render_page

PAGE = Path("docs") / "performance.md"
BEGIN = "<!-- scripts/gpu --publish writes what stands from here to the next such line -->\n"
END = "<!-- end of the GPU's figures -->\n"


def publish_figures(files: Sequence[Path], repository: Path) -> list[Path]:
    """Fill the page, and the ``# GPU:`` line of each config that was measured; return their paths.

    Of a step that several files hold, the last one with results counts. Raises UsageError for a
    toy run.
    """
    documents = [json.loads(file.read_text("utf-8")) for file in files]
    for file, document in zip(files, documents, strict=True):
        if document["settings"]["toy"]:
            raise UsageError(f"--publish {file}: the figures of a toy run say nothing")
    latest = {
        step["name"]: step | document["settings"]
        for document in documents
        for step in document["steps"]
        if step["rows"]
    }
    for document in documents:
        document["steps"] = [
            step
            for step in document["steps"]
            if step | document["settings"] == latest.get(step["name"])
        ]
    pages = [render_page(document) for document in documents if document["steps"]]
    written = [fill_page(repository / PAGE, pages)]
    for path in sorted((repository / "configs").glob("*.yaml")):
        figures = describe(path.stem, latest)
        text = path.read_text("utf-8")
        if figures and "GPU" in read_header(text).facts:
            set_header_fact(path, "GPU", figures)
            written.append(path)
    return written


def fill_page(path: Path, pages: Sequence[str]) -> Path:
    """Put the pages, their headings two levels lower, between the two marks."""
    lower = "\n".join(re.sub(r"^#", "###", page, flags=re.MULTILINE) for page in pages)
    fill_between(path, BEGIN, END, lower)
    return path


def describe(stem: str, steps: dict[str, dict[str, Any]]) -> str:
    """Say in one line what was measured of a config, and where; empty: nothing.

    Accuracies on drawn images say nothing of a recipe.
    """
    speed, schedule = steps.get(f"speed:{stem}"), steps.get(f"schedule:{stem}")
    facts = [f"{value:,.0f} images/s" for value in find(speed, f"{stem}: fit beside a bare loop")]
    if schedule and schedule["images"] != "drawn":
        facts += [f"all epochs in {value:,.0f} s" for value in find(schedule, f"{stem}: fit")]
        for views, words in (("none", "test"), ("flip_translate", "with views")):
            name = f"{stem}: test accuracy, --tta {views}"
            facts += [f"{words} {value:.1f} %" for value in find(schedule, name)]
    places = {step["processor"] for step in (speed, schedule) if step}
    return f"{', '.join(facts)} (n = 1, {'; '.join(sorted(places))})" if facts else ""


def find(step: dict[str, Any] | None, name: str) -> list[float]:
    """Return the medians of the step's rows of this name."""
    return [row["ours"]["median"] for row in step["rows"] if row["name"] == name] if step else []
