import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import cnn_train as package
from cnn_train import errors
from cnn_train.cli import main as main_module
from cnn_train.cli.main import app

Run = Callable[..., Any]

# The libraries that take long to import, or that only some commands need. Typer itself imports
# pydantic where a command has parameters, so of that only our own imports are watched.
HEAVY = ("torch", "torchvision", "matplotlib", "numpy", "PIL", "yaml", "safetensors")

# Documented in docs/commands.md and never changed.
EXIT_CODES = {
    "CnnTrainError": 1,
    "CheckFailedError": 1,
    "UsageError": 2,
    "ConfigError": 2,
    "DataError": 3,
    "MissingSplitError": 3,
    "CheckpointError": 4,
    "DivergedError": 5,
    "ResourceError": 6,
    "LostProcessError": 6,
    "LockedError": 7,
    "InterruptedRun": 130,
}

# Documented there too: what ``--json`` calls each failure.
KINDS = {
    "CnnTrainError": "failure",
    "CheckFailedError": "check",
    "UsageError": "usage",
    "ConfigError": "config",
    "DataError": "data",
    "MissingSplitError": "data",
    "CheckpointError": "checkpoint",
    "DivergedError": "diverged",
    "ResourceError": "resources",
    "LostProcessError": "lost_process",
    "LockedError": "locked",
    "InterruptedRun": "interrupted",
}

HELP_OF_EVERY_COMMAND = f"""
import io, json, sys
from contextlib import redirect_stdout
from cnn_train.cli.main import app, main

imports_pydantic = "pydantic" in sys.modules
import typer.main
root = typer.main.get_command(app)
typer.main.get_command = lambda app: root  # else it is built anew for each help
commands = [[]]
for name, command in root.commands.items():
    commands.append([name])
    commands += [[name, inner] for inner in getattr(command, "commands", {{}})]
texts = {{}}
for command in commands:
    sys.argv = ["cnn-train", *command, "--help"]
    with redirect_stdout(io.StringIO()) as text:
        try:
            main()
        except SystemExit as end:
            assert not end.code, command
    texts[" ".join(command)] = text.getvalue()
heavy = sorted(name for name in sys.modules if name in {HEAVY!r} or ".lecture." in name)
print(json.dumps({{"texts": texts, "heavy": heavy, "imports_pydantic": imports_pydantic}}))
"""


@pytest.fixture(scope="module")
def help_of_every_command() -> dict[str, Any]:
    """Ask every command for its help in one fresh process."""
    printed = subprocess.check_output([sys.executable, "-c", HELP_OF_EVERY_COMMAND], text=True)
    answer: dict[str, Any] = json.loads(printed)
    return answer


def test_help_imports_no_heavy_library(help_of_every_command: dict[str, Any]) -> None:
    assert help_of_every_command["heavy"] == []
    assert not help_of_every_command["imports_pydantic"]


def test_every_command_has_help(help_of_every_command: dict[str, Any]) -> None:
    assert all("Usage: " in text for text in help_of_every_command["texts"].values())


def test_every_option_of_every_command_says_what_it_does() -> None:
    from typer.main import get_command

    def walk(command: Any, name: str) -> None:
        for inner_name, inner in getattr(command, "commands", {}).items():
            walk(inner, f"{name} {inner_name}")
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{name}: {parameter.name} needs a help text"

    walk(get_command(app), "cnn-train")


def test_the_version_is_the_packages(cnn_train: Run) -> None:
    result = cnn_train("--version")
    assert (result.exit_code, result.stdout) == (0, f"cnn-train {package.__version__}\n")


@pytest.mark.parametrize(
    "arguments", [["fly"], ["fit", "--fly"], ["config", "fly"], ["fit", "--limit-batches", "0"]]
)
def test_an_unknown_command_or_option_is_exit_code_2(cnn_train: Run, arguments: list[str]) -> None:
    result = cnn_train(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["learn", "diff", "--h", "0,01"], "'--h': 0,01: decimals take a point: 0.01"),
        (["learn", "slope", "--h", "0,01"], "'--h': 0,01: decimals take a point: 0.01"),
        (["learn", "descent", "--seconds", "0,5"], "'--seconds': 0,5: decimals take a point: 0.5"),
        (["learn", "batch-size", "--seconds", "-1"], "'--seconds': -1: take 0 or more"),
        (["learn", "batch-size", "--seconds", "nan"], "'--seconds': nan: take 0 or more"),
        (["visualize", "loss-surface", "x", "--reach", "0,5"], "'--reach': 0,5: decimals take a"),
    ],
)
def test_a_decimal_comma_is_named_in_every_option_that_takes_a_number(
    cnn_train: Run, arguments: list[str], message: str
) -> None:
    result = cnn_train(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        ("fit quickstart", "--config quickstart"),
        ("fit my.yaml --seed 3", "--config my.yaml"),
        ("profile my.yaml", "--config my.yaml"),
        ("fit -c quickstart --epochs 3", "--set epochs=3"),
        ("fit -c quickstart --epochs=3", "--set epochs=3"),
        ("fit -c quickstart epochs=3", "--set epochs=3"),
        ("fit -c quickstart optimizer.lr=3", "--set optimizer.lr=3"),
        ("fit --lr 0.1 -c quickstart", "--set optimizer.lr=0.1"),
        ("fit -c quickstart --batch-size 8", "--set batch_size=8"),
        ("fit -c quickstart --weight-decay", "--set optimizer.weight_decay=VALUE"),
        ("fit -c quickstart --optimizer adamw", "--set 'optimizer={name: adamw}'"),
        ("fit -c quickstart regularization=none", "--set 'regularization={kind: none}'"),
        ("config show quickstart epochs=3", "--set epochs=3"),
    ],
)
def test_a_setting_or_a_config_in_the_wrong_place_gets_its_spelling(
    cnn_train: Run, arguments: str, advice: str
) -> None:
    result = cnn_train(*arguments.split())
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.endswith(f"; write {advice}")


def options_with_one_value(command: Any, path: tuple[str, ...] = ()) -> Iterator[Any]:
    for parameter in command.params:
        is_option = parameter.param_type_name == "option"
        if is_option and not (parameter.is_flag or parameter.multiple):
            yield path, parameter.opts
    for name, inner in getattr(command, "commands", {}).items():
        yield from options_with_one_value(inner, (*path, name))


def test_no_command_takes_two_values_where_one_counts(cnn_train: Run) -> None:
    from typer.main import get_command

    options = list(options_with_one_value(get_command(app)))
    assert len(options) > 150
    for path, names in options:
        result = cnn_train(*path, names[0], "1", f"{names[-1]}=1")
        if path:  # the program itself has none but --install-completion and its like
            assert result.exit_code == 2
            assert result.stderr == (
                f"error: {max(names, key=len)}: given 2 times, and only one counts; give it once\n"
            )


@pytest.mark.parametrize(
    "arguments",
    [
        "fit --config=~/tiny.yaml --run-root=~/models --set epochs=1",
        "config check ~/tiny.yaml",
        "config show ~/tiny.yaml",
        "data show --config ~/tiny.yaml --out=~/sheet.png",
    ],
)
@pytest.mark.usefixtures("no_pictures")
def test_a_tilde_that_the_shell_left_is_the_home(
    cnn_train: Run, tiny_config: Path, monkeypatch: pytest.MonkeyPatch, arguments: str
) -> None:
    home = tiny_config.parent / "home"
    home.mkdir()
    tiny_config.rename(home / "tiny.yaml")
    monkeypatch.setenv("HOME", str(home))
    result = cnn_train(*arguments.split())
    assert result.exit_code == 0, result.stderr
    assert [path.name for path in home.parent.iterdir()] == ["home"]
    written = {"fit": "models", "data": "sheet.png"}.get(arguments.split()[0], "tiny.yaml")
    assert (home / written).exists()


def test_exit_codes_are_those_that_are_documented() -> None:
    found = {
        name: value.exit_code
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.CnnTrainError)
    }
    assert found == EXIT_CODES


@pytest.mark.parametrize("name", EXIT_CODES)
def test_every_expected_failure_is_one_line_and_its_exit_code(
    cnn_train: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def fail() -> None:
        raise getattr(errors, name)("file: [bold]what[/bold] is wrong; what to do")

    monkeypatch.setattr(main_module, "app", fail)
    result = cnn_train()
    assert result.exit_code == EXIT_CODES[name]
    assert result.stdout == ""
    assert result.stderr == "error: file: [bold]what[/bold] is wrong; what to do\n"
    with_json = cnn_train("--json")
    assert (with_json.exit_code, with_json.stderr) == (result.exit_code, result.stderr)
    message = "file: [bold]what[/bold] is wrong; what to do"
    assert with_json.document == {
        "error": {"code": result.exit_code, "kind": KINDS[name], "message": message}
    }


def test_a_bug_of_ours_is_not_dressed_up_as_a_users_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr(main_module, "app", fail)
    monkeypatch.setattr(sys, "argv", ["cnn-train", "--json"])
    with pytest.raises(ZeroDivisionError):
        main_module.main()
    assert json.loads(capsys.readouterr().out) == {
        "error": {"code": 1, "kind": "bug", "message": "ZeroDivisionError: of ours"}
    }


def with_json(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield every command that has ``--json``, by the words that call it."""
    if any("--json" in parameter.opts for parameter in command.params):
        yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from with_json(inner, (*path, name))


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("train", "fit"),
        ("learn backpropagation", "backprop"),
        ("learn revers-mode", "reverse-mode"),
        ("runs remov", "remove"),
        ("visualize a.ckpt -m gradcam", "cam"),
        ("visualize gardcam a.ckpt", "cam"),
        ("learn loss softmax", "cross_entropy"),
        ("visualize saliency a.ckpt --split tran", "train"),
        ("models show resnet2", "resnet20"),
        ("fit --config resnet2", "resnet20"),
        ("fit --config quickstart --set loss.name=softmax", "cross_entropy"),
    ],
)
def test_a_wrong_word_is_answered_with_the_one_that_may_be_meant(
    cnn_train: Run, words: str, meant: str
) -> None:
    ended = cnn_train(*words.split())
    told = " ".join(ended.stderr.replace("│", " ").split())
    assert ended.exit_code == 2
    assert f"did you mean '{meant}'" in told.lower() and "Value error" not in told


# Of each command with --json, arguments that it cannot do anything with, and how it ends then.
# Those with an entry None print what they found even so, as one document of their own.
ABSENT: dict[str, tuple[str, int, str | None]] = {
    "checkpoint import": ("absent.pth --config linear_hinge", 4, "checkpoint"),
    "checkpoint show": ("absent.ckpt", 4, "checkpoint"),
    "checkpoint slim": ("absent.ckpt --out slim.ckpt", 4, "checkpoint"),
    "checkpoint verify": ("absent.ckpt", 4, None),
    "config list": ("absent", 2, "usage"),
    "compare": ("absent elsewhere", 4, "checkpoint"),
    "data cache": ("--yes=1", 2, "usage"),
    "data get": ("--offline --data-dir absent", 3, "data"),
    "data verify": ("--data-dir absent", 3, None),
    "evaluate": ("absent.ckpt", 4, "checkpoint"),
    "export": ("absent.ckpt --format safetensors --out x.safetensors", 4, "checkpoint"),
    "find-lr": ("--config absent.yaml", 2, "config"),
    "fit": ("--config absent.yaml", 2, "config"),
    "gradcheck": ("--config absent.yaml", 2, "config"),
    "inspect": ("absent.png", 3, "data"),
    "learn backprop": ("--label 3", 2, "usage"),
    "learn batch-size": ("--config absent.yaml", 2, "config"),
    "learn check": ("--module absent.py:Layer", 2, "usage"),
    "learn conv": ("absent.ckpt", 4, "checkpoint"),
    "learn descent": ("--config absent.yaml", 2, "config"),
    "learn diff": ("--expr x+", 2, "usage"),
    "learn forward-mode": ("--expr x+", 2, "usage"),
    "learn graph": ("--expr x+", 2, "usage"),
    "learn loss": ("hinge --checkpoint absent.ckpt", 4, "checkpoint"),
    "learn params": ("--units 0", 2, "usage"),
    "learn regularization": ("--config absent.yaml", 2, "config"),
    "learn reverse-mode": ("--expr x+", 2, "usage"),
    "learn slope": ("--expr x+", 2, "usage"),
    "learn step": ("--config absent.yaml", 2, "config"),
    "models": ("absent", 2, "usage"),
    "models draw": ("absent", 2, "usage"),
    "models pretrained": ("absent", 4, "checkpoint"),
    "models show": ("absent", 2, "usage"),
    "playground": ("--headless --set absent=1", 2, "config"),
    "predict": ("absent.png --checkpoint absent.ckpt", 4, "checkpoint"),
    "profile": ("--config absent.yaml", 2, "config"),
    "runs": ("--run-root", 2, "usage"),
    "runs prune": ("--keep-best 0", 2, "usage"),
    "runs remove": ("absent", 4, "checkpoint"),
    "runs watch": ("absent", 4, "checkpoint"),
    "sweep": ("--config absent.yaml --space absent.yaml", 2, "config"),
    "visualize cam": ("absent.ckpt", 4, "checkpoint"),
    "visualize deconv": ("absent.ckpt", 4, "checkpoint"),
    "visualize embedding": ("absent.ckpt", 4, "checkpoint"),
    "visualize filters": ("absent.ckpt", 4, "checkpoint"),
    "visualize guided": ("absent.ckpt", 4, "checkpoint"),
    "visualize loss-surface": ("absent.ckpt", 4, "checkpoint"),
    "visualize maps": ("absent.ckpt", 4, "checkpoint"),
    "visualize occlusion": ("absent.ckpt", 4, "checkpoint"),
    "visualize saliency": ("absent.ckpt", 4, "checkpoint"),
    "visualize top-patches": ("absent.ckpt", 4, "checkpoint"),
}


def test_a_failure_of_every_command_with_json_is_tried() -> None:
    from typer.main import get_command

    assert {" ".join(words) for words in with_json(get_command(app))} == set(ABSENT)


@pytest.mark.parametrize("command", ABSENT)
def test_with_json_a_failure_is_one_document_on_stdout_and_its_line_on_stderr(
    cnn_train: Run, command: str
) -> None:
    arguments, code, kind = ABSENT[command]
    result = cnn_train(*command.split(), "--json", *arguments.split())
    assert result.exit_code == code, result.stderr
    assert "rror" in result.stderr and "Traceback" not in result.stderr
    if kind is None:
        assert result.document["ok"] is False
    else:
        assert set(result.document) == {"error"}
        found = result.document["error"]
        assert (found["code"], found["kind"]) == (code, kind)
        words = " ".join(result.stderr.replace("│", " ").split())
        assert " ".join(found["message"].split("\n")[0].split()) in words
    unknown = cnn_train(*command.split(), "--json", "--headless", "--no-such-option")
    assert unknown.exit_code == 2
    assert unknown.document["error"]["kind"] == "usage"
    assert " option" in unknown.document["error"]["message"]


def run_apart(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own."""
    command = [sys.executable, "-m", "cnn_train", *arguments]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, **options)


WRITERS = pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["runs", "--json"]])


@WRITERS
def test_a_reader_that_is_gone_ends_the_program_quietly(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = run_apart(*arguments, stdout=writing)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, "")


@WRITERS
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line_and_exit_code_6(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = run_apart(*arguments, stdout=full)
    assert ended.returncode == 6
    assert ended.stderr == "error: disk full: no space left for the output\n"


def test_a_closed_stdout_is_no_reason_to_fail() -> None:
    command = f"{sys.executable} -m cnn_train runs --json >&-"
    ended = subprocess.run(command, shell=True, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
