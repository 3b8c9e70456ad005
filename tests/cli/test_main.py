import json
import os
import subprocess
import sys
from collections.abc import Callable
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
    assert result.stderr == "error: file: [bold]what[/bold] is wrong; what to do\n"


def test_a_bug_of_ours_is_not_dressed_up_as_a_users_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(main_module, "app", fail)
    with pytest.raises(ZeroDivisionError):
        main_module.main()


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
