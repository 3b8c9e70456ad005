import json
import re
import signal
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any, get_args

import pytest
from rich.color import ColorSystem
from torture_campaign.children import Child

from cnn_train.playground.settings import Feature, PlaygroundSettings, read_address

Run = Callable[..., Any]


def test_a_run_without_a_page_shows_losses_surface_and_learning_rule(cnn_train: Run) -> None:
    outcome = cnn_train("playground", "--headless", "--dataset", "gauss", "--epochs", 12)
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout.startswith(
        "gauss: 250 training and 250 test points; network 2–2–2 (tanh), 12 parameters; 300 steps\n"
    )
    epochs = re.findall(r"^ +(\d+)  \d\.\d{4} ", outcome.stdout, re.MULTILINE)
    assert epochs == ["2", "4", "6", "8", "10", "12"]
    assert "w ← w − η · g" in outcome.stdout and "hidden 1, neuron 1 ← x₁" in outcome.stdout
    top_of_surface = next(line for line in outcome.stdout.splitlines() if "####" in line)
    assert "OOOO" not in top_of_surface.partition("####")[2]  # the blue cloud is at the top right


def test_a_terminal_shows_the_surface_in_colours_below_the_table_where_it_is_narrow(
    cnn_train: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnn_train.cli import console

    monkeypatch.setattr(console.stdout, "_force_terminal", True)
    monkeypatch.setattr(console.stdout, "_color_system", ColorSystem.TRUECOLOR)
    for width, side_by_side in ((80, False), (120, True)):
        monkeypatch.setattr(console.stdout, "width", width)
        outcome = cnn_train("playground", "--headless", "--dataset", "gauss", "--epochs", 1)
        plain = re.sub(r"\x1b\[[\d;]*m", "", outcome.stdout).splitlines()
        assert max(map(len, plain[1:])) <= width
        (heading,) = (line for line in plain if "test accuracy" in line)
        assert ("██" in heading) == side_by_side
        assert sum(44 * "█" in line for line in plain) == 22
        assert len(set(re.findall(r"38;2;\d+;\d+;\d+", outcome.stdout))) > 10


@pytest.mark.parametrize("spelling", ["--set", "older"])
def test_every_setting_is_an_option_and_the_document_names_it(
    cnn_train: Run, spelling: str
) -> None:
    options = {
        "dataset": "xor", "points": 100, "noise": 0.05, "train_fraction": 0.6,
        "features": "x1,x1x2", "hidden": "3,2", "activation": "relu", "loss": "hinge",
        "learning_rate": 0.05, "momentum": 0.5, "batch_size": 6, "regularization": "l1",
        "strength": 0.01, "seed": 9,
    }  # fmt: skip
    flags = [word for k, v in options.items() for word in (
        ("--set", f"{k}={v}") if spelling == "--set" else (f"--{k.replace('_', '-')}", v)
    )]  # fmt: skip
    assert options.keys() == PlaygroundSettings.model_fields.keys()
    document = cnn_train("playground", "--headless", "--epochs", 2, "--json", *flags).document
    expected = options | {"features": ["x1", "x1x2"], "hidden": [3, 2]}
    assert document["settings"] == expected
    assert read_address(document["address"], "#").model_dump(mode="json") == expected
    assert document["steps"] == 20
    assert [record["epoch"] for record in document["records"]] == [0, 1]
    step = document["last_step"]
    assert step["weight"] == "hidden 1, neuron 1 ← x₁"
    assert step["after"] == pytest.approx(step["before"] - 0.05 * step["velocity"], rel=1e-12)


def test_the_same_command_prints_the_same_document(cnn_train: Run) -> None:
    command = ("playground", "--headless", "--dataset", "spiral", "--epochs", 2, "--json")
    assert cnn_train(*command).stdout == cnn_train(*command).stdout


def test_no_hidden_layer_is_a_linear_classifier(cnn_train: Run) -> None:
    command = ("playground", "--headless", "--hidden", "", "--epochs", 1, "--json")
    assert cnn_train(*command).document["num_parameters"] == 6
    page = cnn_train(*command[:-1], "--points", 20).stdout
    expected = "10 test points; network 2–2 (no hidden layer), 6 parameters; 1 step\n"
    assert page.partition(" and ")[2].startswith(expected)


def test_the_picture_is_written(cnn_train: Run, tmp_path: Path) -> None:
    outcome = cnn_train("playground", "--headless", "--epochs", 2, "--out", "surface.png", "--json")
    assert (outcome.exit_code, outcome.stderr) == (0, "wrote surface.png\n")
    assert (tmp_path / "surface.png").read_bytes().startswith(b"\x89PNG")
    assert outcome.document["steps"] == 50


@pytest.mark.parametrize(
    ("options", "exit_code", "message"),
    [
        (["--dataset", "spirale"], 2, "dataset=spirale: dataset: \"spirale\" is unknown; did you"),
        (["--learning-rate", "-1"], 2, "learning_rate: -1 is out of range"),
        (["--hidden", "4,9"], 2, "hidden[1]: 9 is out of range"),
        (["--hidden", "4;4"], 2, "hidden[0]: \"4;4\" is a string"),
        (["--seed"], 2, "--set seed=: seed: the value is empty"),
        (["--headles"], 2, "playground has no option --headles; see cnn-train playground --help"),
        (["--features", "x1,x9"], 2, "features[1]: \"x9\" is unknown"),
        (["--out", "surface.gif"], 2, "surface.gif: figures are saved as .png or .svg"),
        (
            ["--features", "x1x1,x2x2", "--hidden", "8,8,8,8,8", "--activation", "linear",
             "--learning-rate", "10"], 5, "the training loss is not finite; choose a learning rate",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_one_line(
    cnn_train: Run, options: list[str], exit_code: int, message: str
) -> None:
    outcome = cnn_train("playground", "--headless", *options)
    assert (outcome.exit_code, outcome.stdout) == (exit_code, "")
    (line,) = outcome.stderr.splitlines()
    assert line.startswith("error: ") and message in line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--json"], "--json, --out and --epochs belong to --headless; add it"),
        (["--out", "a.png"], "--json, --out and --epochs belong to --headless; add it"),
        (["--epochs", "3"], "--json, --out and --epochs belong to --headless; add it"),
        (["--headless", "--port", "8000"], "--port and --no-browser belong to the page; leave out"),
        (["--headless", "--no-browser"], "--port and --no-browser belong to the page; leave out"),
    ],
)
def test_options_of_the_page_and_of_a_run_without_it_exclude_each_other(
    cnn_train: Run, options: list[str], message: str
) -> None:
    outcome = cnn_train("playground", *options)
    assert outcome.exit_code == 2
    if "--json" in options:
        assert outcome.document["error"]["message"] == message
    else:
        assert outcome.stdout == ""
    assert outcome.stderr.startswith(f"error: {message}")


def test_all_findings_are_listed_at_once_each_with_the_override_it_is_about(cnn_train: Run) -> None:
    wrong = ("--set", "hiden=3", "--set", "noise=2", "--set", "hidden=[8,9]")
    outcome = cnn_train("playground", *wrong)
    assert (outcome.exit_code, outcome.stderr.splitlines()) == (2, [
        "error: --set hiden=3: hiden: unknown key; did you mean 'hidden'?",
        "error: --set noise=2: noise: 2 is out of range; expected a number >= 0 and <= 1",
        "error: --set hidden=[8,9]: hidden[1]: 9 is out of range; expected a number <= 8",
    ])  # fmt: skip


def test_the_help_names_every_setting_and_every_choice(cnn_train: Run) -> None:
    words = re.findall(r"\w+", cnn_train("playground", "--help").stdout)
    fields = PlaygroundSettings.model_fields
    choices = [choice for field in fields.values() for choice in get_args(field.annotation)
               if isinstance(choice, str)]  # fmt: skip
    assert {*fields, *choices, *get_args(Feature)} <= {*words}


@pytest.mark.parametrize(("name", "exit_code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_the_page_is_served_until_a_signal_and_the_end_is_quiet_also_while_it_trains(
    start_command: Callable[..., Child], tmp_path: Path, name: str, exit_code: int
) -> None:
    options = ("--no-browser", "--dataset", "spiral", "--seed", "5")
    process = start_command("playground", *options, cwd=tmp_path)
    process.wait_until_said("\n", "stdout")
    url, _, address = process.said("stdout").strip().partition("#")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32,}/", url)
    assert read_address(address, "#").seed == 5

    def ask(action: str, **question: Any) -> Any:
        body = json.dumps(question).encode()
        request = urllib.request.Request(f"{url}api/{action}", body)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    begun = ask("start", address=address)
    assert begun["settings"]["dataset"] == "spiral"
    asked = {"experiment": begun["experiment"], "steps": 2000}
    playing = Thread(target=lambda: ask("advance", **asked))
    playing.start()
    time.sleep(0.2)  # it computes
    process.signal(getattr(signal, name))
    ended = process.wait(30)
    playing.join()  # its answer arrived
    assert ended.exit_code == exit_code
    assert ended.stderr.splitlines()[1:] == (["stopped"] if name == "SIGINT" else [])


def test_a_browser_is_opened_only_where_there_is_a_screen(
    cnn_train: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnn_train.playground.server import PlaygroundServer

    opened: list[str] = []

    def stop(self: PlaygroundServer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    monkeypatch.setattr(PlaygroundServer, "serve_forever", stop)
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert cnn_train("playground").exit_code == 130
    assert opened == []
    monkeypatch.setenv("DISPLAY", ":0")
    assert cnn_train("playground", "--no-browser").exit_code == 130
    assert opened == []
    outcome = cnn_train("playground")
    assert (outcome.exit_code, opened) == (130, [outcome.stdout.strip()])
