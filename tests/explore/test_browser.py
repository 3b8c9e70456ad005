"""The page in a real browser: what a user does, and what must never happen."""

import json
import os
import re
import subprocess
import sys
import time
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


def give_file(browser: Any, path: Path) -> None:
    """Choose a file as a user does by the page's button."""
    node = browser.devtools("Runtime.evaluate", expression="document.querySelector('#file')")
    browser.devtools(
        "DOM.setFileInputFiles", files=[str(path)], objectId=node["result"]["objectId"]
    )


def test_a_file_is_shown_as_the_network_gets_it(page: Open, tmp_path: Path) -> None:
    browser = page()
    Image.linear_gradient("L").convert("RGB").save(tmp_path / "grey.png")
    give_file(browser, tmp_path / "grey.png")
    wait_for(lambda: "grey.png" in browser.text("#picture-says"))


@pytest.mark.parametrize("method", ["gradient", "cam", "guided", "occlusion"])
def test_each_backward_view_lies_over_the_image(page: Open, method: str) -> None:
    browser = page("image=3")
    plain = picture(browser)
    top = "return document.querySelector('#net').getBoundingClientRect().top"
    before = browser.run(top)
    browser.run(
        "const field = document.querySelector('#method'); field.value = arguments[0];"
        "field.dispatchEvent(new Event('change'))",
        method,
    )
    wait_for(lambda: picture(browser) != plain)
    assert browser.text("#backward-words")
    assert f"method={method}" in wait_for(lambda: "method" in browser.url and browser.url)
    assert browser.run(top) == before  # nothing has moved
    browser.run("document.querySelector('#picture').focus()")
    press(browser, "ArrowRight")
    value = r"(≥ |≤ )?−?[\d.e−]+"
    assert re.fullmatch(
        {"occlusion": r"Covered: .+ % → .+ %.*", "cam": f"Grad-CAM {value}"}.get(
            method, f"red {value}, green {value}, blue {value}"
        ),
        browser.text("#picture-reads"),
    )


def test_the_three_suggestions_answer_why_in_words_and_numbers(page: Open) -> None:
    browser = page("image=3")

    def answer(number: int) -> str:
        browser.click(f"#suggestions button:nth-child({number})")
        wait_until_quiet(browser)
        return str(browser.text("#hint"))

    assert re.search(r"Covering the 8 × 8 pixels at the .*: .* % → .* %", answer(1)) or re.search(
        r"No cover of 8 × 8 pixels lowers", answer(1)
    )
    assert browser.run("return document.querySelector('#method').value") == "occlusion"
    assert re.search(r"Of \d+ checkpoints, .* step \d+ \(.* %\)", answer(3))
    assert re.search(r"conv2, map \d+ adds most to .*: \+[\d.]+.* linearisation", answer(2))
    assert "class=" not in browser.url  # asking holds no class
    named = browser.text("#hint .link")
    browser.click("#hint .link")
    wait_for(lambda: browser.text("#unit h2").startswith(f"conv2, {named}, row"))
    chosen, scrolled = browser.text("#unit h2"), browser.run("return scrollY")
    press(browser, "PageDown" if "map 0," in chosen else "PageUp")  # keys move it at once
    wait_for(lambda: browser.text("#unit h2") != chosen)
    assert browser.run("return scrollY") == scrolled


def test_of_the_tools_always_one_is_chosen(page: Open) -> None:
    browser = page("image=3")
    chosen = (
        "return [...document.querySelectorAll('#tool :checked')].map(e => e.labels[0].textContent)"
    )
    cover, paint = "#tool label:nth-child(2)", "#tool label:nth-child(3)"
    for label in (cover, cover):
        browser.click(label)
        assert browser.run(chosen) == ["Cover"]
    browser.press("ArrowRight")
    assert browser.run(chosen) == ["Paint"]
    browser.press("ArrowRight")
    assert browser.run(chosen) == ["Restore"]
    browser.run(
        "for (const name of ['input', 'change'])"
        " document.querySelector('#colour').dispatchEvent(new Event(name, {bubbles: true}))"
    )
    assert browser.run(chosen) == ["Paint"]
    browser.click(paint)
    assert browser.run(chosen) == ["Paint"]


def test_painting_holds_the_class_and_another_image_releases_it(page: Open) -> None:
    browser = page("image=3")
    held = "return !document.querySelector('#release').hidden"
    title = browser.text("#guide-title")
    assert not browser.run(held)
    paint(browser)
    wait_until_quiet(browser)
    assert browser.run(held) and browser.text("#guide-title") == title and "class=" in browser.url
    browser.click("#release")
    assert not browser.run(held)
    paint(browser)
    browser.click("#thumbnails button:nth-child(6)")
    wait_until_quiet(browser)
    assert not browser.run(held) and "image=5" in browser.url and "class=" not in browser.url


def test_back_returns_to_the_image_before_as_it_was_painted(page: Open) -> None:
    browser = page("image=3")
    paint(browser)
    wait_until_quiet(browser)
    seen = browser.text("#scores")
    browser.click("#thumbnails button:nth-child(6)")
    wait_for(lambda: "image=5" in browser.url)
    browser.run("history.back()")
    wait_for(lambda: "image=3" in browser.url and "changed" in browser.text("#picture-says"))
    wait_until_quiet(browser)
    assert browser.text("#scores") == seen


def test_a_list_begins_with_its_first_image_and_outlives_a_reload(page: Open) -> None:
    browser = page("image=3")
    browser.run(
        "const field = document.querySelector('#order'); field.value = 'mistakes';"
        "field.dispatchEvent(new Event('change'))"
    )
    wait_for(lambda: "list=mistakes" in browser.url)
    first = "return document.querySelector('#thumbnails [aria-pressed=true]').dataset.index"
    shown = browser.run(first)
    assert f"image={shown}&list=mistakes" in browser.url
    assert browser.run(f"{first} === document.querySelector('#thumbnails button').dataset.index")
    paint(browser)
    wait_until_quiet(browser)
    seen = browser.text("#scores")
    browser.reload()
    wait_for(lambda: browser.text("#scores") == seen)
    assert "changed" in browser.text("#picture-says")
    assert browser.run("return document.querySelector('#order').value") == "mistakes"
    assert browser.run(first) == shown


def test_an_address_without_a_unit_clears_its_frame(page: Open) -> None:
    browser = page("image=3")
    plain = picture(browser)
    browser.run("document.querySelector('#net').scrollLeft = 9999")
    browser.run("location.hash = 'image=3&unit=0,1,4,5'")
    wait_for(lambda: browser.run("return document.querySelector('#net').scrollLeft") == 0)
    wait_for(lambda: picture(browser) != plain)
    browser.run("location.hash = 'image=3'")
    wait_for(lambda: picture(browser) == plain)


def test_without_a_label_no_answer_is_drawn_as_wrong_and_a_message_can_be_closed(
    page: Open, tmp_path: Path
) -> None:
    browser = page("image=3")
    browser.click("#blank")
    wait_until_quiet(browser)
    assert browser.run("return document.querySelector('.score.predicted.wrong')") is None
    (tmp_path / "none.png").write_text("no image")
    for close in ("#message button", "#blank"):  # another image is a success, too
        give_file(browser, tmp_path / "none.png")
        wait_for(lambda: "none.png" in browser.text("#message"))
        browser.click(close)
        wait_for(lambda: browser.text("#message") == "")
    assert [entry for entry in browser.console() if "400" not in str(entry)] == []


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
    wait_for(lambda: "after step 2 this run left trunk-" in browser.text("#chart-words"))
    browser.run(
        "const chart = document.querySelector('#chart');"
        "const {left, top} = chart.getBoundingClientRect();"
        "chart.dispatchEvent(new PointerEvent('pointermove', {clientX: left, clientY: top}))"
    )
    assert re.match(r"step 0: .* \d", browser.run("return document.querySelector('#chart').title"))


def test_what_is_near_is_shown_and_a_click_opens_it(page: Open) -> None:
    browser = page("image=3")
    browser.run("document.querySelector('#time').scrollIntoView()")
    wait_for(lambda: browser.run("return document.querySelectorAll('#nearest button').length") == 8)
    assert "Most like this image for the last hidden layer, by label: " in browser.text("#nearest")
    browser.run(
        "const cloud = document.querySelector('#cloud');"
        "const {left, top, width, height} = cloud.getBoundingClientRect();"
        "for (let i = 0; i < 900 && cloud.style.cursor !== 'pointer'; i++)"
        "  cloud.dispatchEvent(new PointerEvent('pointermove', {"
        "    clientX: left + width * (i % 30) / 30,"
        "    clientY: top + height * Math.floor(i / 30) / 30}))"
    )
    wait_for(lambda: "A click shows it." in browser.text("#cloud-pointed"))
    number = browser.text("#cloud-pointed").split(",")[0].split()[1]
    browser.click("#cloud")
    wait_for(lambda: f"image={number}&" in browser.run("return location.hash"))


def test_an_answer_about_the_image_before_is_not_shown(page: Open) -> None:
    browser = page("image=3&method=occlusion")
    browser.run(
        "const usual = window.fetch; window.fetch = async (...asked) => {"
        " const answer = await usual(...asked);"
        " if (/history|speakers|backward/.test(asked[0]))"
        "   await new Promise(done => setTimeout(done, 700));"
        " return answer; }"
    )
    browser.click("#suggestions button:nth-child(2)")  # which map
    time.sleep(0.2)
    browser.run("document.querySelectorAll('#thumbnails button')[5].click()")
    hint = browser.text("#hint")
    wait_until_quiet(browser)
    assert browser.text("#hint") == hint and "adds most" not in hint


def test_an_old_verdict_is_not_shown_beside_a_new_image(page: Open) -> None:
    browser = page("image=3")
    wait_for(lambda: browser.text("#settled"))
    browser.run("document.querySelectorAll('#thumbnails button')[5].click()")
    assert browser.text("#settled") == ""
    assert browser.run("return document.querySelectorAll('#time .waits').length") == 2
    wait_for(lambda: browser.text("#settled"))
    wait_for(lambda: browser.run("return !document.querySelector('#time .waits')"))


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
