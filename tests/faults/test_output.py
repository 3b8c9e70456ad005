"""Where the output goes: nowhere, into a full disk, to a reader that leaves, to any terminal."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

FIT = "$CNN_TRAIN fit --config tiny.yaml"
FAIL = "$CNN_TRAIN fitt"  # a usage error that needs no torch, whose import takes seconds

needs_full_device = pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="needs a device that is always full"
)


def open_stderr() -> None:
    """Let stderr be what lies behind descriptor 2 by now."""
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", 1, "utf-8")  # type: ignore[misc]


def say_nothing() -> None:
    """Be a process that was started with ``>&- 2>/dev/full <&-``."""
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, 2)
    for descriptor in (full, 0, 1):
        os.close(descriptor)
    open_stderr()
    sys.stdin = sys.stdout = None  # type: ignore[assignment]  # as Python finds them closed


@needs_full_device
def test_a_run_goes_on_when_nothing_can_be_said(start_command: Run, trained: Path) -> None:
    arguments = ("fit", "--config", "tiny.yaml", "--json", "--run-root", "silent")
    child = start_command(*arguments, cwd=trained, disturb=f"{__file__}:say_nothing")
    assert child.wait().exit_code == 0
    assert (trained / "silent/latest/last.ckpt").exists()


@pytest.mark.parametrize(
    ("command", "exit_code"),
    [
        pytest.param(f"{FAIL} 2>/dev/full", 2, marks=needs_full_device),
        pytest.param("$CNN_TRAIN runs >/dev/full 2>/dev/full", 6, marks=needs_full_device),
        (f"{FAIL} 2>&-", 2),
        (f"set -o pipefail; {FAIL} 2>&1 | true", 141),
        ("set -o pipefail; $CNN_TRAIN runs --json | true", 141),
    ],
)
def test_an_output_that_takes_nothing_leaves_the_exit_code_as_it_is(
    run_shell: Run, trained: Path, command: str, exit_code: int
) -> None:
    ended = run_shell(command.replace("| true", "| (exec <&-; sleep 1)"), trained)
    assert (ended.exit_code, ended.stdout, ended.stderr) == (exit_code, "", "")


def test_no_file_of_a_run_gets_the_number_of_a_closed_stream(run_shell: Run, trained: Path) -> None:
    code = (
        "import os; from cnn_train.cli.process.standard_streams import prepare_streams;"
        "prepare_streams(); print(os.open(os.devnull, os.O_RDONLY) > 2, file=open('number', 'w'))"
    )
    run_shell(f'{sys.executable} -c "{code}" <&- >&- 2>&-', trained)
    assert (trained / "number").read_text() == "True\n"


def write_into_pipe() -> None:
    """Be a process that was started with ``2>pipe``."""
    os.dup2(os.open("pipe", os.O_WRONLY), 2)
    open_stderr()


def test_head_gets_its_lines_and_the_program_ends(start_command: Run, trained: Path) -> None:
    os.mkfifo(trained / "pipe")
    arguments = ("fit", "--config", "tiny.yaml", "--run-root", "left")
    child = start_command(*arguments, cwd=trained, disturb=f"{__file__}:write_into_pipe")
    with (trained / "pipe").open() as pipe:
        assert pipe.readline() == "Drawing shapes (train) …\n"
    assert child.wait().exit_code == 141


def test_letters_that_the_output_cannot_hold_are_written_as_escapes(
    run_main: Run, trained: Path
) -> None:
    ended = run_main("evaluate", trained / "runs/latest", encoding="ascii")
    assert ended.exit_code == 0
    assert "calibration" in ended.stdout and "\\u2013" in ended.stdout


def test_the_c_locale_takes_and_prints_every_path(run_shell: Run, trained: Path) -> None:
    command = "$CNN_TRAIN runs --json --run-root silent; $CNN_TRAIN runs --run-root größe"
    ended = run_shell(command, trained, LC_ALL="C", LANG="C")
    assert ended.exit_code == 0
    assert "größe" in ended.stderr


TABLE_AND_HELP = """
import sys
from cnn_train.cli.main import main
for sys.argv in (["cnn-train", "runs"], ["cnn-train", "fit", "--help"]):
    try:
        main()
    except SystemExit as end:
        assert not end.code
"""


@pytest.mark.parametrize("columns", ["0", "20", "-5", "many", "9" * 5000])
def test_any_width_shows_the_words_of_a_table(run_shell: Run, trained: Path, columns: str) -> None:
    ended = run_shell(f"{sys.executable} -c '{TABLE_AND_HELP}'", trained, COLUMNS=columns)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert "Usage" in ended.stdout
    assert "tiny" in ended.stdout
    assert len(max(ended.stdout.splitlines(), key=len)) < 1000


def on_a_terminal(arguments: list[str], cwd: Path, **variables: str) -> tuple[int, str]:
    """Run the program with a terminal for all three streams; return its exit code and output."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "cnn_train", *arguments],
        stdin=slave, stdout=slave, stderr=slave, cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **variables},
    ) as process:  # fmt: skip
        os.close(slave)
        written = b""
        try:
            while piece := os.read(master, 65_536):
                written += piece
        except OSError:  # so Linux says that the other side is closed
            pass
        os.close(master)
    return process.returncode, written.decode()


COLOUR = re.compile("\x1b\\[[0-9;]*3[0-9][;m]")


def test_a_dumb_terminal_gets_plain_lines(trained: Path) -> None:
    exit_code, written = on_a_terminal(
        [*FIT.split()[1:], "--run-root", "dumb"], trained, TERM="dumb"
    )
    assert exit_code == 0
    assert "\x1b" not in written
    assert "1/1 " in written


def test_no_color_means_no_colour(trained: Path) -> None:
    _, coloured = on_a_terminal(["fit", "--help"], trained, TERM="xterm")
    exit_code, plain = on_a_terminal(["fit", "--help"], trained, TERM="xterm", NO_COLOR="1")
    assert exit_code == 0
    assert COLOUR.search(coloured)
    assert not COLOUR.search(plain)


@pytest.mark.parametrize(
    "arguments", [["evaluate", "runs/latest"], ["runs"], ["predict", "gone.png"], ["models"]]
)
def test_json_is_one_document_and_nothing_off_a_terminal_is_an_escape(
    run_main: Run, trained: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(trained)
    monkeypatch.setenv("TERM", "xterm")
    ended = run_main(*arguments, "--json")
    assert isinstance(json.loads(ended.stdout), dict)
    assert "\x1b" not in ended.stdout + ended.stderr
