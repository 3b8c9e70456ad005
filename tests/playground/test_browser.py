"""The page in a real browser: what a user does, and what must never happen."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from chromium import wait_for

from cnn_train.playground.experiment import Experiment
from cnn_train.playground.formula import Place, write_formula
from cnn_train.playground.server import PlaygroundServer
from cnn_train.playground.settings import read_address, resolve_settings

pytestmark = pytest.mark.slow

Open = Callable[..., Any]
WIDE, NARROW = (1280, 800), (560, 900)


@pytest.fixture
def page(browser: Any, server: PlaygroundServer) -> Iterator[Open]:
    """Return a function that opens the page with some settings and waits until it is drawn.

    At the end nothing may have been asked of another host, and the page may not have complained.
    """
    browser.resize(*WIDE)
    browser.prefer("light")
    browser.open("about:blank")
    browser.console(), browser.requests()

    def open_page(address: str = "") -> Any:
        browser.open("about:blank")
        browser.open(f"{server.url}#{address}")
        wait_for(lambda: browser.text("#layers") and browser.text("#formula tbody"))
        return browser

    yield open_page
    asked = {urlsplit(url).netloc for url in browser.requests()}
    assert asked == {f"127.0.0.1:{server.server_port}"}
    assert browser.console() == []


COUNT_COLOURS = """
const [seen, copy] = [document.querySelector('#surface'), document.createElement('canvas')];
[copy.width, copy.height] = [seen.width, seen.height];
const context = copy.getContext('2d', {willReadFrequently: true});
context.drawImage(seen, 0, 0);
const pixels = context.getImageData(0, 0, copy.width, copy.height).data;
return [...new Set(new Uint32Array(pixels.buffer))];
"""


def step(browser: Any, times: int = 1) -> None:
    """Press Step so often, each time waiting for the counter."""
    for _ in range(times):
        before = int(browser.text("#steps"))
        browser.click("#step")
        wait_for(lambda before=before: int(browser.text("#steps")) == before + 1)


def update_line(browser: Any) -> str:
    return str(browser.text("#formula-update td:last-child"))


def settings_in_url(browser: Any) -> Any:
    return read_address(urlsplit(browser.url).fragment, "#")


def test_a_step_moves_the_counter_and_shows_the_rule_with_its_numbers(page: Open) -> None:
    browser = page("dataset=gauss&seed=2")
    assert update_line(browser) == ""
    experiment = Experiment(resolve_settings({"dataset": "gauss", "seed": 2}, "test"))
    for number in (1, 2):
        step(browser)
        experiment.advance(1)
        expected = write_formula(experiment, Place())[-1].numbers
        assert update_line(browser) == expected
        assert browser.text("#formula-step") == f"step {number}, a minibatch of 10"
    assert browser.text("#epochs") == "0"
    browser.click("#epoch")
    wait_for(lambda: browser.text("#epochs") == "1")
    assert browser.text("#steps") == "25"


def test_playing_learns_the_spiral_and_pausing_stops(page: Open) -> None:
    browser = page("dataset=spiral")
    browser.click("#play")
    assert browser.text("#play") == "❚❚ Pause"
    wait_for(lambda: float(browser.text("#test-accuracy").removesuffix(" %")) >= 95)
    browser.click("#play")
    time.sleep(0.3)
    steps = browser.text("#steps")
    time.sleep(0.3)
    assert browser.text("#steps") == steps
    assert int(browser.text("#epochs")) >= 10


def test_the_url_holds_the_state_and_a_reload_repeats_the_experiment(page: Open) -> None:
    browser = page("dataset=xor")
    browser.run(
        "const field = document.querySelector('[name=batch_size]'); field.value = 25;"
        "field.dispatchEvent(new Event('change', {bubbles: true}));"
    )
    wait_for(lambda: settings_in_url(browser).batch_size == 25)
    browser.click("#more")
    wait_for(lambda: settings_in_url(browser).hidden == (4, 4))
    expected = resolve_settings({"dataset": "xor", "batch_size": 25, "hidden": (4, 4)}, "test")
    assert settings_in_url(browser) == expected
    step(browser, 3)
    seen = [browser.text(name) for name in ("#train-loss", "#test-loss")] + [update_line(browser)]
    browser.reload()
    wait_for(lambda: browser.text("#layers") == "2 hidden layers")
    assert settings_in_url(browser) == expected
    assert browser.text("#steps") == "0"
    step(browser, 3)
    again = [browser.text(name) for name in ("#train-loss", "#test-loss")] + [update_line(browser)]
    assert again == seen


def test_a_url_that_is_edited_by_hand_starts_what_it_says(page: Open) -> None:
    browser = page("dataset=xor")
    browser.run("location.hash = 'dataset=circle&hidden=2'")
    wait_for(lambda: browser.text("#layers") == "1 hidden layer" and "points=" in browser.url)
    settings = settings_in_url(browser)
    assert (settings.dataset, settings.hidden) == ("circle", (2,))
    assert browser.run("return document.querySelector('[value=circle]').checked")


def test_a_wrong_url_is_explained_and_the_usual_settings_are_used(page: Open) -> None:
    browser = page("dataset=sphere")
    wait_for(lambda: "usual" in browser.text("#message"))
    assert '"sphere" is unknown' in browser.text("#message")
    assert settings_in_url(browser) == resolve_settings({}, "test")
    refusals = browser.console()
    assert len(refusals) == 1 and "400" in refusals[0]


def test_toy_sets_features_layers_and_neurons_are_changed_by_clicks(page: Open) -> None:
    browser = page("dataset=gauss&hidden=2,2")
    clicks = {
        "[value=spiral] + canvas": {"dataset": "spiral"},
        "#suggest": {"features": ("x1", "x2", "sin_x1", "sin_x2"), "hidden": (8, 8)},
        "[aria-label='feature x₁²']": {"features": ("x1", "x2", "x1x1", "sin_x1", "sin_x2")},
        "[aria-label='feature x₁']": {"features": ("x2", "x1x1", "sin_x1", "sin_x2")},
        "[aria-label='One neuron fewer in hidden layer 2']": {"hidden": (8, 7)},
        "#fewer": {"hidden": (8,)},
    }
    for selector, expected in clicks.items():
        browser.click(selector)

        def arrived(expected: dict[str, Any] = expected) -> bool:
            settings = settings_in_url(browser).model_dump()
            return expected.items() <= settings.items()

        wait_for(arrived)
    count = browser.run("return document.querySelectorAll('#net .weight').length")
    assert count == 4 * 8 + 8 * 2


def test_the_formula_follows_the_weight_that_is_clicked_or_chosen(page: Open) -> None:
    browser = page("dataset=xor&hidden=3")
    step(browser)
    experiment = Experiment(resolve_settings({"dataset": "xor", "hidden": (3,)}, "test"))
    experiment.advance(1)

    def shows(place: Place) -> None:
        expected = write_formula(experiment, place)[-1].numbers
        wait_for(lambda: update_line(browser) == expected)

    shows(Place())
    browser.run(
        "document.querySelectorAll('#net .hit')[4]"
        ".dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    shows(Place(0, 2, 0))
    browser.click("[aria-label='hidden 1, neuron 2; its bias']")
    shows(Place(0, 1, None))
    assert browser.text("#surface-title") == "hidden 1, neuron 2"
    browser.click("[aria-label='hidden 1, neuron 2; its bias']")
    wait_for(lambda: browser.text("#surface-title") == "Output")
    browser.run("document.querySelector('#weight').focus()")
    browser.press("score of blue ← neuron 1")
    shows(Place(1, 1, 0))


def test_the_keyboard_is_enough(page: Open) -> None:
    browser = page("dataset=gauss")
    reached = []
    for _ in range(4):
        browser.press("Tab")
        reached.append(browser.run("return document.activeElement.id"))
    assert reached == ["play", "step", "epoch", "reset"]
    browser.run("document.querySelector('#step').focus()")
    browser.press("Enter")
    wait_for(lambda: browser.text("#steps") == "1")
    browser.run("document.querySelector('[name=dataset]:checked').focus()")
    browser.press("ArrowRight")  # the next toy set
    wait_for(lambda: settings_in_url(browser).dataset == "spiral")


def test_the_focus_stays_where_a_key_changed_the_network(page: Open) -> None:
    browser = page("dataset=xor&hidden=7")
    focused = "return document.activeElement.ariaLabel"
    for label, expected in (
        ("feature x₁²", "feature x₁²"),
        ("One neuron more in hidden layer 1", "One neuron fewer in hidden layer 1"),
        ("One neuron fewer in hidden layer 1", "One neuron fewer in hidden layer 1"),
    ):
        before = browser.url
        browser.run(f"document.querySelector('[aria-label=\"{label}\"]').focus()")
        browser.press("Enter")
        wait_for(lambda before=before: browser.url != before)
        assert browser.run(focused) == expected, label


def test_sliders_stand_at_what_the_address_says_and_keep_it(page: Open) -> None:
    browser = page("dataset=xor&noise=0.83&train_fraction=0.33&points=333")
    shown = "return [...document.querySelectorAll('.value')].map(e => e.textContent)"
    assert browser.run(shown) == ["0.83", "33 %"]
    browser.run("document.querySelector('[name=batch_size]').focus()")
    browser.press("End", "1", "Enter")  # behind the 10
    wait_for(lambda: settings_in_url(browser).batch_size == 101)
    settings = settings_in_url(browser)
    assert (settings.noise, settings.train_fraction, settings.points) == (0.83, 0.33, 333)
    browser.run("document.querySelector('[name=train_fraction]').focus()")
    for fraction in (0.3, 0.4):
        browser.press("ArrowRight")  # first to the nearest notch, then to the next
        wait_for(lambda fraction=fraction: settings_in_url(browser).train_fraction == fraction)


def test_without_a_hidden_layer_no_activation_is_asked_for(page: Open) -> None:
    browser = page("dataset=gauss&hidden=&activation=relu")
    hidden = "return document.querySelector('#activation').hidden"
    assert browser.run(hidden)
    browser.click("#more")
    wait_for(lambda: not browser.run(hidden))
    assert settings_in_url(browser).activation == "relu"


def test_the_address_without_its_last_slash_opens_the_page_too(
    page: Open, server: PlaygroundServer
) -> None:
    browser = page()
    browser.open("about:blank")
    browser.open(f"{server.url.removesuffix('/')}#dataset=gauss&seed=5")
    wait_for(lambda: browser.text("#formula tbody"))
    assert settings_in_url(browser) == resolve_settings({"dataset": "gauss", "seed": 5}, "test")


WRITTEN = """
const written = [], fill = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
  if (this.canvas.id === 'curves') written.push([text, y]);
  fill.call(this, text, x, y);
};
document.querySelector('#curves').style.maxHeight = '90px';
return new Promise((done) => setTimeout(() => {
  CanvasRenderingContext2D.prototype.fillText = fill;
  document.querySelector('#curves').style.maxHeight = '';
  done(written);
}, 200));
"""


def test_the_curves_are_labelled_with_round_losses_and_the_step(page: Open) -> None:
    browser = page("dataset=xor&learning_rate=0.05")
    for epochs in range(3):
        *losses, (step_text, _) = browser.run(WRITTEN)
        assert step_text == f"step {25 * epochs}"
        names = [name for name, _ in losses]
        assert names == ["0", "0.2", "0.4", "0.6"]
        assert all(below - above > 10 for (_, below), (_, above) in pairwise(losses))
        browser.click("#epoch")
        wait_for(lambda epochs=epochs: browser.text("#epochs") == str(epochs + 1))


def test_every_control_has_a_name(page: Open) -> None:
    browser = page("dataset=spiral")
    nameless = browser.run(
        "return [...document.querySelectorAll('button, input, select, canvas[role]')]"
        ".filter(e => !(e.ariaLabel || e.title || e.textContent.trim() && e.tagName === 'BUTTON'"
        " || e.labels?.length && e.labels[0].textContent.trim())).map(e => e.outerHTML)"
    )
    assert nameless == []


@pytest.mark.parametrize("dataset", ["circle", "xor", "gauss", "spiral"])
def test_light_and_dark_differ_and_both_draw_the_surface(page: Open, dataset: str) -> None:
    browser = page(f"dataset={dataset}")
    browser.click("#epoch")
    wait_for(lambda: browser.text("#epochs") == "1")
    grounds, surfaces = set(), set()
    for scheme in ("light", "dark"):
        browser.prefer(scheme)
        time.sleep(0.1)
        grounds.add(browser.run("return getComputedStyle(document.body).backgroundColor"))
        colours = browser.run(COUNT_COLOURS)
        assert len(colours) > 50
        surfaces.add(tuple(sorted(colours)))
    assert len(grounds) == len(surfaces) == 2


@pytest.mark.parametrize("size", [WIDE, (1440, 900), (768, 1024), NARROW])
def test_nothing_is_wider_than_the_window_and_all_is_seen_at_once_in_a_usual_one(
    page: Open, size: tuple[int, int]
) -> None:
    browser = page("dataset=spiral&regularization=l2")
    browser.resize(*size)
    step(browser)
    width, height = browser.run(
        "return [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert width <= size[0]
    assert height <= size[1] or size[0] < 1060


@pytest.mark.parametrize("width", [400, 800, 1100, 1280])
def test_the_buttons_of_six_layers_stand_side_by_side_in_every_window(
    page: Open, width: int
) -> None:
    browser = page("dataset=gauss&hidden=3,3,3,3,3,3")
    browser.resize(width, 900)
    wait_for(lambda: browser.run("return innerWidth") == width)
    places = browser.run(
        "return [...document.querySelectorAll('.head button')].map(e => e.getBoundingClientRect())"
        ".map(({left, right}) => [left, right])"
    )
    assert len(places) == 12
    assert all(end <= begin for (_, end), (begin, _) in pairwise(sorted(places)))
    assert browser.run("return document.documentElement.scrollWidth") <= width


def test_divergence_is_explained_and_stops_the_training(page: Open) -> None:
    browser = page("features=x1x1,x2x2&hidden=8,8,8,8,8,8&activation=linear&learning_rate=10")
    browser.click("#play")
    wait_for(lambda: "not finite" in browser.text("#message"))
    assert browser.text("#play") == "▶ Play"
    browser.click("#reset")
    wait_for(lambda: browser.text("#message") == "" and browser.text("#steps") == "0")


def test_a_program_that_was_stopped_is_explained(browser: Any, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cnn_train", "playground", "--no-browser", "--seed", "7"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as program:
        assert program.stdout is not None
        browser.open(program.stdout.readline().decode().strip())
        wait_for(lambda: browser.text("#formula tbody"))
        program.terminate()
    browser.click("#play")
    wait_for(lambda: "it was stopped" in browser.text("#message"))
    assert browser.text("#play") == "▶ Play"
    assert settings_in_url(browser).seed == 7
