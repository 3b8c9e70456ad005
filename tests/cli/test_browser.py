"""The HTML files that commands write, in a real browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Run = Callable[..., Any]
SIZES = [(390, 844), (1280, 800), (1920, 1080)]
QUICK = ("-c", "tiny.yaml", "--set", "data.num_train=100", "--images", 70, "--seconds", 0)

FILES: list[tuple[str, tuple[object, ...]]] = [
    ("evaluation/report.html", ("evaluate", "runs/first", "--out", "evaluation")),
    ("report.html", ("report", "runs/first")),
    ("compare.html", ("compare", "runs/first", "runs/second")),
    ("filters.html", ("visualize", "filters", "runs/first")),
    ("rates.html", ("find-lr", "-c", "tiny.yaml", "--updates", 20)),
    ("inspect.html", ("inspect", "image.png")),
    ("loss.html", ("learn", "loss", "hinge")),
    ("slope.html", ("learn", "slope")),
    ("diff.html", ("learn", "diff")),
    ("graph.html", ("learn", "graph")),
    ("forward.html", ("learn", "forward-mode")),
    ("reverse.html", ("learn", "reverse-mode")),
    ("step.html", ("learn", "step", "-c", "tiny.yaml")),
    ("descent.html", ("learn", "descent", *QUICK)),
    ("sizes.html", ("learn", "batch-size", *QUICK, "--draws", 2)),
]


def test_every_html_file_fits_every_window_and_nothing_in_it_is_refused(
    browser: Any, cnn_train: Run, tiny_config: Path
) -> None:
    from PIL import Image

    Image.linear_gradient("L").convert("RGB").resize((16, 16)).save("image.png")
    for name in ("first", "second"):
        fitted = cnn_train("fit", "-c", tiny_config, "--json").document
        Path(fitted["run_dir"]).rename(f"runs/{name}")
    too_wide = []
    for file, arguments in FILES:
        out = () if "--out" in arguments else ("--out", file)
        outcome = cnn_train(*arguments, *out)
        assert outcome.exit_code == 0, (arguments, outcome.stderr)
        browser.open(Path(file).resolve().as_uri())
        for scheme in ("light", "dark"):
            browser.prefer(scheme)
            for size in SIZES:
                browser.resize(*size)
                if browser.run("return document.documentElement.scrollWidth > innerWidth"):
                    too_wide.append((file, size))
        assert browser.console() == [], file
        assert browser.requests() == [], file
    assert too_wide == []


@pytest.mark.parametrize(
    ("answer", "verdict"), [("0.02", "Right: v̄1 = 0.02"), ("0", "Not quite: v̄1 = 0.02")]
)
def test_a_slope_that_is_filled_in_must_be_right_to_a_percent(
    browser: Any, cnn_train: Run, answer: str, verdict: str
) -> None:
    arguments = ("--expr", "x**2", "--at", "0.01", "--out", "square.html")
    assert cnn_train("learn", "reverse-mode", *arguments).exit_code == 0
    browser.open(Path("square.html").resolve().as_uri())
    browser.run("for (const id of ['quiz', 'forward', 'forward', 'forward']) get(id).click()")
    browser.run(f"get('answer').value = '{answer}'; get('ask').requestSubmit()")
    assert browser.run("return get('verdict').textContent") == verdict
