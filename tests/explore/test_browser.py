"""The page in a real browser: what a user does, and what must never happen."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from chromium import wait_for
from PIL import Image

pytestmark = pytest.mark.slow

Open = Callable[..., Any]
WIDE, NARROW = (1280, 800), (390, 844)

CONFIG = """\
data: {name: shapes, num_train: 60, num_test: 10, image_size: 32}
model: {name: lenet}
loss: {name: LOSS}
optimizer: {name: sgd, lr: 0.02}
schedule: {name: constant}
batch_size: 20
epochs: 2
checkpoint: {every_steps: 1, keep: 20}
"""


def serve_run(folder: Path, loss: str) -> Iterator[str]:
    """Train a small network and a branch, explore it in a process of its own, yield its address."""
    (folder / "small.yaml").write_text(CONFIG.replace("LOSS", loss))
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "cnn_train"]
    start = ("--config", "small.yaml", "--name", "trunk")
    branch = ("--resume", "runs/latest@2", "--branch", "branch", "--set", "optimizer.lr=0.03")
    for options in (start, branch):
        fit = [*command, "fit", *options, "--run-root", "runs"]
        subprocess.run(fit, env=environment, cwd=folder, check=True, capture_output=True)
    with subprocess.Popen(
        [*command, "explore", "runs/latest", "--no-browser"],
        env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as program:  # fmt: skip
        assert program.stdout is not None
        yield program.stdout.readline().decode().strip().partition("#")[0]
        program.terminate()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from serve_run(tmp_path_factory.mktemp("explore"), "cross_entropy")


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Open]:
    """Return a function that opens the page and waits until the network has said something.

    At the end nothing may have been asked of another host, and the page may not have complained.
    """
    browser.resize(*WIDE)
    browser.prefer("light")
    browser.open("about:blank")
    browser.console(), browser.requests()

    def open_page(fragment: str = "") -> Any:
        browser.open("about:blank")
        browser.open(f"{address}#{fragment}")
        wait_for(lambda: browser.run("return document.querySelectorAll('.score').length"))
        wait_until_quiet(browser)
        return browser

    yield open_page
    wait_until_quiet(browser)
    assert {urlsplit(url).netloc for url in browser.requests()} == {urlsplit(address).netloc}
    assert browser.text("#message") == ""
    assert browser.console() == []


def wait_until_quiet(browser: Any) -> None:
    """Wait until all is answered that was asked, also what is asked when nothing changes."""
    waiting = (
        "return new Promise(done => setTimeout("
        "() => done(document.body.classList.contains('waiting')), 500))"
    )
    wait_for(lambda: not browser.run(waiting))


def click_map(browser: Any, layer: int, x: float = 0.3, y: float = 0.3) -> None:
    """Click into the maps of a layer, at a share of their width and height."""
    browser.run(
        "const [layer, x, y] = arguments;"
        "const canvas = document.querySelector(`canvas[data-layer='${layer}']`);"
        "canvas.scrollIntoView({block: 'center', inline: 'center'});"
        "const {left, top, width, height} = canvas.getBoundingClientRect();"
        "canvas.focus();"
        "canvas.dispatchEvent(new MouseEvent('click', {bubbles: true,"
        " clientX: left + x * width, clientY: top + y * height}))",
        layer, x, y,
    )  # fmt: skip


def press(browser: Any, key: str) -> None:
    browser.run(
        "document.activeElement.dispatchEvent("
        "new KeyboardEvent('keydown', {key: arguments[0], bubbles: true}))",
        key,
    )


def paint(browser: Any) -> None:
    """Paint with the brush in the middle of the image, by the keyboard."""
    browser.run("document.querySelector('#picture').focus()")
    press(browser, " ")


def picture(browser: Any) -> str:
    return str(browser.run("return document.querySelector('#picture').toDataURL()"))


def test_a_click_on_a_map_works_its_number_out_as_the_network_does(
    page: Open, address: str
) -> None:
    browser = page("image=3")
    with urllib.request.urlopen(f"{address}api/page", timeout=60) as answer:
        layers = json.load(answer)["layers"]
    assert {layer["kind"] for layer in layers if layer["unit"]} == {
        "convolution", "activation", "pooling", "linear",
    }  # fmt: skip
    for index in (index for index, layer in enumerate(layers) if layer["unit"]):
        click_map(browser, index)
        name = layers[index]["name"]
        wait_for(lambda name=name: browser.text("#unit h2").startswith(f"{name}, "))
        wait_for(lambda: "✓" in browser.text("#unit .equation"))
        wait_until_quiet(browser)


def mouse(browser: Any, kind: str, x: float, y: float) -> None:
    """Let the mouse itself do something, at a point of the window."""
    button = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
    browser.devtools("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)


def corner_of(browser: Any, selector: str) -> tuple[float, float]:
    """Return the upper left corner of an element that is brought in sight, in the window."""
    return tuple(
        browser.run(
            "const element = document.querySelector(arguments[0]);"
            "element.scrollIntoView({block: 'nearest', inline: 'center'});"
            "const {left, top} = element.getBoundingClientRect(); return [left, top]",
            selector,
        )
    )


def test_a_click_opens_the_number_that_the_pointer_names_and_its_sum_makes_it(page: Open) -> None:
    browser = page("image=3&unit=0,1,4,5")
    browser.devtools(
        "Emulation.setDeviceMetricsOverride",
        width=1280, height=800, deviceScaleFactor=1.25, mobile=False,
    )  # fmt: skip
    left, top = corner_of(browser, "canvas[data-layer='3']")
    scrolled = browser.run("return scrollY")
    seen = set()
    for shift in (0.4, 2.2, 3.6, 4.5, 5.4, 6.2):
        x, y = left + 60 + shift, top + 20 + shift
        mouse(browser, "mouseMoved", x, y)
        wait_for(lambda: browser.text("#pointed")[-1].isdigit() and browser.text("#pointed"))
        wait_for(lambda: "about" not in browser.text("#pointed"))
        name, _, number = browser.text("#pointed").partition(": ")
        for kind in ("mousePressed", "mouseReleased"):
            mouse(browser, kind, x, y)
        wait_for(lambda name=name: browser.text("#unit h2") == name)
        says = f"the network itself says {number}"
        wait_for(lambda says=says: says in browser.text("#unit .equation"))
        seen.add(name)
    assert len(seen) > 1
    assert browser.run("return scrollY") == scrolled
    wait_until_quiet(browser)
    browser.resize(*WIDE)


def test_many_small_maps_are_drawn_large_enough_to_see(page: Open) -> None:
    browser = page("image=3")
    for shape in ([256, 4, 4], [512, 2, 2], [512, 4, 4], [128, 8, 8], [64, 16, 16]):
        plan = browser.run(
            "return import(new URL('maps.js', document.baseURI)).then(({layOut}) =>"
            " layOut(arguments[0], {width: 245, height: 264}, false))",
            shape,
        )
        assert plan["factor"] * shape[1] >= 16 and plan["width"] <= 3 * 245
        assert plan["shown"] >= 0.8 * shape[0]


def test_a_gradient_under_the_pointer_is_called_one(page: Open) -> None:
    browser = page("image=3&method=gradient&maps=gradients")
    left, top = corner_of(browser, "canvas[data-layer='3']")
    mouse(browser, "mouseMoved", left + 30, top + 30)
    wait_for(lambda: "gradient of the score of" in browser.text("#pointed"))
    wait_for(lambda: browser.text("#pointed")[-1].isdigit())


def test_factors_show_their_product_and_open_what_made_them(page: Open) -> None:
    browser = page("image=3&unit=3,5,2,7")
    browser.run(
        "document.querySelector('#unit .grid td').dispatchEvent("
        "new PointerEvent('pointerover', {bubbles: true}))"
    )
    factor, weight, product = browser.text("#lens").replace("×", "=").split(" = ")
    a, b, c = (float(text.replace("−", "-")) for text in (factor, weight, product))
    assert c == pytest.approx(a * b, rel=2e-3, abs=1e-6)
    browser.click("#unit .grid td.opens")
    wait_for(lambda: browser.text("#unit h2").startswith("pool1, map "))
    wait_for(lambda: "row 2, column 7" in browser.text("#unit h2"))
    wait_until_quiet(browser)
    for start, name in (("11,0,0,0", "act4, number "), ("7,0,0,0", "pool2, map ")):
        browser.run("location.hash = `image=3&unit=${arguments[0]}`", start)
        wait_for(lambda: browser.run("return !!document.querySelector('#unit .bars .link')"))
        wait_until_quiet(browser)
        browser.click("#unit .bars .link")
        wait_for(lambda name=name: browser.text("#unit h2").startswith(name))
        wait_until_quiet(browser)


def test_keys_move_the_number_and_close_its_panel(page: Open) -> None:
    browser = page("image=3&unit=0,1,4,5")
    title = "conv1, map {}, row {}, column {}"
    assert browser.text("#unit h2") == title.format(1, 4, 5)
    browser.run("document.querySelector(\"canvas[data-layer='0']\").focus()")
    for key, place in {
        "ArrowRight": (1, 4, 6),
        "ArrowDown": (1, 5, 6),
        "PageDown": (2, 5, 6),
        "ArrowUp": (2, 4, 6),
    }.items():
        press(browser, key)
        assert browser.text("#unit h2") == title.format(*place)
    wait_until_quiet(browser)
    assert "unit=0,2,4,6" in browser.url
    press(browser, "Escape")
    assert browser.run("return document.querySelector('#unit').hidden")


def test_the_window_slides_until_it_is_stopped(page: Open) -> None:
    browser = page("image=3&unit=0,1,4,5")
    browser.click("#unit .buttons button")
    wait_for(lambda: browser.text("#unit h2").endswith("row 0, column 9"))
    browser.click("#unit .buttons button")
    stopped = browser.text("#unit h2")
    wait_until_quiet(browser)
    assert browser.text("#unit h2") == stopped


def test_painting_changes_the_answer_and_original_brings_it_back(page: Open) -> None:
    browser = page("image=3")
    seen, drawn = browser.text("#scores"), picture(browser)
    paint(browser)
    wait_for(lambda: browser.text("#scores") != seen)
    assert "changed" in browser.text("#picture-says")
    browser.click("#original")
    browser.run("document.querySelector('#picture').blur()")
    wait_for(lambda: browser.text("#scores") == seen and picture(browser) == drawn)


def test_a_reload_shows_the_same_also_of_a_painted_image(page: Open) -> None:
    browser = page("image=3")
    browser.click("#blank")
    paint(browser)
    click_map(browser, 0)
    browser.run("document.querySelector('.score').click()")
    wait_until_quiet(browser)
    seen = [browser.text(part) for part in ("#scores", "#unit .equation")]
    url = browser.url
    assert "image=own" in url and "class=" in url and "unit=0," in url
    browser.reload()
    wait_for(lambda: browser.text("#unit"))
    wait_until_quiet(browser)
    assert [browser.text(part) for part in ("#scores", "#unit .equation")] == seen
    assert browser.url == url


def test_a_file_is_shown_as_the_network_gets_it(page: Open, tmp_path: Path) -> None:
    browser = page()
    Image.linear_gradient("L").convert("RGB").save(tmp_path / "grey.png")
    node = browser.devtools("Runtime.evaluate", expression="document.querySelector('#file')")
    browser.devtools(
        "DOM.setFileInputFiles",
        files=[str(tmp_path / "grey.png")],
        objectId=node["result"]["objectId"],
    )
    wait_for(lambda: "grey.png" in browser.text("#picture-says"))


@pytest.mark.parametrize("method", ["gradient", "cam", "guided", "occlusion"])
def test_each_backward_view_lies_over_the_image(page: Open, method: str) -> None:
    browser = page("image=3")
    plain = picture(browser)
    browser.run(
        "const field = document.querySelector('#method'); field.value = arguments[0];"
        "field.dispatchEvent(new Event('change'))",
        method,
    )
    wait_for(lambda: picture(browser) != plain)
    assert browser.text("#backward-words")
    assert f"method={method}" in wait_for(lambda: "method" in browser.url and browser.url)


def test_the_three_suggestions_answer_why(page: Open) -> None:
    browser = page("image=3")
    for number in (1, 2, 3):
        browser.click(f"#suggestions button:nth-child({number})")
        wait_until_quiet(browser)
        if number == 2:  # keys move what was chosen at once
            chosen, scrolled = browser.text("#unit h2"), browser.run("return scrollY")
            press(browser, "PageDown" if "map 0," in chosen else "PageUp")
            wait_for(lambda chosen=chosen: browser.text("#unit h2") != chosen)
            assert browser.run("return scrollY") == scrolled
            wait_until_quiet(browser)
    assert browser.run("return document.querySelector('#method').value") == "occlusion"
    assert browser.text("#unit h2").startswith("conv2, map")
    assert browser.run("return document.activeElement.id") == "chart"


def test_all_follows_the_checkpoint(page: Open) -> None:
    browser = page("image=3&unit=0,1,4,5")
    views = ("#scores", "#unit .equation", "#clock-name")
    last = [browser.text(view) for view in views]
    browser.run(
        "const slider = document.querySelector('#clock-slider'); slider.value = 0;"
        "slider.dispatchEvent(new Event('input'))"
    )
    wait_until_quiet(browser)
    first = [browser.text(view) for view in views]
    assert all(a != b for a, b in zip(first, last, strict=True))
    browser.click("#clock-play")
    slider = "const {value, max} = document.querySelector('#clock-slider'); return value === max"
    wait_for(lambda: browser.run(slider))
    wait_for(lambda: browser.text("#clock-play") == "▶")


def test_a_branch_is_drawn_beside_the_run_that_it_left(page: Open) -> None:
    browser = page("image=3")
    browser.run("document.querySelector('#chart').scrollIntoView()")
    wait_for(lambda: "here this run left trunk-" in browser.text("#chart-words"))


def test_blocks_fold_and_unfold(page: Open) -> None:
    browser = page("open=")
    canvases = "return document.querySelectorAll('#net canvas').length"
    assert browser.run(canvases) == 1  # the image's
    browser.run("document.querySelector('.block.folded > button').click()")
    assert browser.run(canvases) > 1
    wait_for(lambda: "open=0" in browser.url)


def test_no_camera_is_said_in_one_line(page: Open) -> None:
    browser = page()
    browser.click("#webcam")
    wait_for(lambda: "camera" in browser.text("#message"))
    wait_for(lambda: browser.text("#message") == "")


@pytest.mark.parametrize("size", [WIDE, (1920, 1080), (768, 1024), NARROW])
def test_nothing_is_wider_than_the_window(page: Open, size: tuple[int, int]) -> None:
    browser = page("image=3&unit=0,1,4,5&method=gradient")
    browser.resize(*size)
    wait_until_quiet(browser)
    assert browser.run("return document.documentElement.scrollWidth") <= size[0]


def test_every_control_has_a_name(page: Open) -> None:
    browser = page("image=3&unit=0,1,4,5")
    nameless = browser.run(
        "return [...document.querySelectorAll('button, input, select, canvas[role]')]"
        ".filter(e => !(e.ariaLabel || e.title || e.textContent.trim() && e.tagName === 'BUTTON'"
        " || e.labels?.length && e.labels[0].textContent.trim())).map(e => e.outerHTML)"
    )
    assert nameless == []


def test_light_and_dark_draw_their_own_maps(page: Open) -> None:
    browser = page("image=3")
    maps = "return document.querySelector(\"canvas[data-layer='0']\").toDataURL()"
    light = browser.run(maps)
    browser.prefer("dark")
    wait_for(lambda: browser.run(maps) != light)


def test_scores_without_probabilities_are_shown_as_scores(
    browser: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    served = serve_run(tmp_path_factory.mktemp("hinge"), "hinge")
    browser.open(next(served))
    wait_for(lambda: "Scores" in browser.text("#scores-hint"))
    wait_until_quiet(browser)
    assert "%" not in browser.text("#scores")
    assert browser.console() == []
    assert next(served, None) is None


def test_a_program_that_was_stopped_is_explained(
    browser: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    served = serve_run(tmp_path_factory.mktemp("stopped"), "cross_entropy")
    browser.open(next(served))
    wait_for(lambda: browser.run("return document.querySelectorAll('.score').length"))
    wait_until_quiet(browser)
    assert next(served, None) is None
    paint(browser)
    wait_for(lambda: "it was stopped" in browser.text("#message"))
