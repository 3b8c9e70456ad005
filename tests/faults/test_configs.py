"""Configs and overrides as users get them wrong, and as nobody should write them."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

# What is written, and what is said of it; None: it is right.
FILES: dict[str, tuple[bytes, str | None]] = {
    "a typo": (
        b"epochs: 3\noptimizer:\n  name: sgd\n  lr: 0.1\n\n  # velocity\n  momentun: 0.9\n",
        "c.yaml:7:3: optimizer.momentun: unknown key; did you mean 'momentum'?",
    ),
    "1e-3 is a number": (b"optimizer: {lr: 1e-3}", None),
    "5e+2 is a number": (b"optimizer: {lr: 5e+2}", None),
    "010 is ten": (b"epochs: 010", None),
    "quoted number": (b'optimizer: {lr: "0.1"}', "c.yaml:1:17: optimizer.lr: "),
    "no": (b"optimizer: {lr: no}", "c.yaml:1:17: optimizer.lr: "),
    "off": (b"optimizer: {nesterov: off}", "c.yaml:1:23: optimizer.nesterov: "),
    "1:30": (b"epochs: 1:30", "c.yaml:1:9: epochs: "),
    "1_000": (b"batch_size: 1_000", "c.yaml:1:13: batch_size: "),
    "NaN": (b"optimizer: {lr: .nan}", "c.yaml:1:17: optimizer.lr: .nan is not finite; expected"),
    "infinity": (b"optimizer: {lr: .inf}", "c.yaml:1:17: optimizer.lr: .inf is not finite"),
    "negative": (b"optimizer: {lr: -1}", "c.yaml:1:17: optimizer.lr: -1 is out of range; expected"),
    "zero": (b"optimizer: {lr: 0}", "c.yaml:1:17: optimizer.lr: 0 is out of range; expected"),
    "momentum": (
        b"optimizer: {momentum: 1.5}",
        "c.yaml:1:23: optimizer.momentum: 1.5 is out of range; expected a number >= 0 and < 1",
    ),
    "no epochs": (b"epochs: 0", "c.yaml:1:9: epochs: 0 is out of range; expected a number >= 1"),
    "overflowing rate": (b"optimizer: {lr: 1e300}", "c.yaml:1:17: optimizer.lr: 1.0e+300 is out"),
    "overflowing width": (
        b"model: {name: resnet18, width: 9223372036854775808}",
        "c.yaml:1:32: model.width: 9223372036854775808 is out of range",
    ),
    "duplicate key": (b"epochs: 1\nepochs: 2", "c.yaml:2:1: epochs: duplicate key"),
    "tab": (b"model:\n\tname: vgg16", "c.yaml:2:1: a tab cannot indent YAML"),
    "unclosed": (b"model: [", "c.yaml:1:9: the file ends inside a '[' or '{'; close it"),
    "two documents": (b"epochs: 1\n---\nepochs: 2", "c.yaml:2:1: a second document"),
    "list": (b"- 1", "c.yaml:1:1: the file holds a list"),
    "scalar": (b"vgg16", "c.yaml:1:1: the file holds a single value"),
    "empty": (b"", None),
    "byte-order mark": ("epochs: 1".encode("utf-8-sig"), "c.yaml:1:1: the file starts with a byte"),
    "UTF-16": ("epochs: 1".encode("utf-16"), "c.yaml:1:1: the file is UTF-16 text"),
    "tag": (b"name: !!python/object/apply:os.system [touch hacked]", "c.yaml:1:7: '!' starts a"),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_a_wrong_file_is_one_located_line_and_exit_code_2(
    run_main: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    content, finding = FILES[case]
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_bytes(content)
    ended = run_main("config", "check", "c.yaml")
    if finding is None:
        assert (ended.exit_code, ended.stdout, ended.stderr) == (0, "c.yaml: ok\n", "")
    else:
        assert (ended.exit_code, ended.stdout) == (2, "")
        assert ended.stderr.startswith(f"error: {finding}")
        assert ended.stderr.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["c.yaml"]


def test_five_errors_are_five_lines_in_the_order_of_the_file(run_main: Run) -> None:
    text = (
        b"seed: -1\nmodel: {name: vgg15}\nbatch_size: 0\noptimizer:\n  lr: .nan\n  momentun: 0.9\n"
    )
    ended = run_main("fit", "--config", "-", stdin=text)
    assert ended.exit_code == 2
    assert [line.split(": ")[:3] for line in ended.stderr.splitlines()] == [
        ["error", "<stdin>:1:7", "seed"],
        ["error", "<stdin>:2:15", "model.name"],
        ["error", "<stdin>:3:13", "batch_size"],
        ["error", "<stdin>:5:7", "optimizer.lr"],
        ["error", "<stdin>:6:3", "optimizer.momentun"],
    ]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("optimizer.lrr=1", "optimizer.lrr: unknown key; did you mean 'lr'?"),
        ("epochs.x=1", "epochs is 3, not a section"),
        ("optimizer.lr", "expected KEY=VALUE"),
        ("epochs=1.5", "epochs: 1.5 is a decimal number; expected a whole number"),
        ('optimizer.lr="0.1"', 'optimizer.lr: "0.1" is a string; write 0.1'),
        ("model.name=vit", "model.name: \"vit\" is unknown; choices: linear, hog_linear, mlp"),
        ("loss.name=mse", 'loss.name: "mse" is unknown; choices: hinge, cross_entropy'),
        ("optimizer.name=adam", "optimizer.name: \"adam\" is unknown; did you mean 'adamw'?"),
    ],
)  # fmt: skip
def test_a_wrong_override_is_cited_with_the_choices(
    run_main: Run, override: str, said: str
) -> None:
    ended = run_main("fit", "--config", "-", "--set", override, stdin=b"epochs: 3")
    assert ended.exit_code == 2
    assert ended.stderr.startswith(f"error: --set {override}: {said}")


def test_a_config_that_cannot_be_read_is_named(run_main: Run, tmp_path: Path) -> None:
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    for path, said in {
        tmp_path / "gone.yaml": "no such config file",
        tmp_path: "is a directory",
        loop: "cannot be read",
        tmp_path / ("x" * 300): "cannot be read: File name too long",
    }.items():
        ended = run_main("fit", "--config", path)
        assert (ended.exit_code, ended.stdout) == (2, "")
        assert ended.stderr.startswith(f"error: {path}: {said}")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable to root")
def test_a_config_that_may_not_be_read_says_so(run_main: Run, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("epochs: 1")
    path.chmod(0)
    ended = run_main("config", "check", path)
    assert ended.exit_code == 2
    assert "cannot be read; check who may read it" in ended.stderr


def test_standard_input_is_a_config_under_both_its_names(
    run_main: Run, run_shell: Run, tmp_path: Path
) -> None:
    ended = run_main("config", "check", "-", stdin=b"epochs: 3")
    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, "<stdin>: ok\n", "")
    ended = run_shell("echo 'epochs: 3' | $CNN_TRAIN config check /dev/stdin", tmp_path)
    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, "/dev/stdin: ok\n", "")


def test_a_closed_standard_input_is_no_empty_config(run_shell: Run, tmp_path: Path) -> None:
    ended = run_shell("$CNN_TRAIN fit --config - <&-", tmp_path)
    assert ended.exit_code == 2
    assert ended.stderr.startswith("error: <stdin>: standard input is closed; pipe a config into")


def alias_bomb() -> bytes:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    return "\n".join(lines).encode()


# Prints what reading each file costs: seconds, and kilobytes of peak memory beyond the imports.
READ_AND_MEASURE = """
import resource, sys, time
from cnn_train.config.loading import load_experiment
from cnn_train.errors import ConfigError
from pydantic import BaseModel

class Settings(BaseModel):
    pass

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    start = time.process_time()
    try:
        load_experiment(path, (), Settings)
    except ConfigError:
        pass
    seconds = time.process_time() - start
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""

BOMBS = {
    "100 MB": b"#" * 100_000_000,
    "aliases": alias_bomb(),
    "brackets": b"a: " + b"[" * 99_000,
    "braces": b"{a: " * 24_000,
    "pairs": b"a: [" + b"1," * 49_000 + b"]",
    "keys": b"".join(b"k%d: 1\n" % n for n in range(9_000)),
    "digits": b"epochs: " + b"9" * 99_000,
    "escapes": b'a: "' + b"\\x61" * 24_000 + b'"',
    "tags": b"%TAG !a! tag:x,2000:\n" * 4_000 + b"--- {}",
    "indents": b"".join(b" " * n + b"a:\n" for n in range(440)),
}


@pytest.fixture(scope="module")
def bombs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("bombs")
    for name, content in BOMBS.items():
        (folder / f"{name}.yaml").write_bytes(content)
    return [folder / f"{name}.yaml" for name in BOMBS]


def test_every_bomb_is_refused_in_one_line(run_main: Run, bombs: list[Path]) -> None:
    ended = run_main("config", "check", *bombs)
    assert (ended.exit_code, ended.stdout) == (2, "")
    lines = ended.stderr.splitlines()
    assert len(lines) == len(bombs)
    for line, bomb in zip(lines, bombs, strict=True):
        assert re.match(rf"error: {re.escape(str(bomb))}:\d+:\d+: ", line)


def test_no_bomb_takes_a_second_or_200_mb(bombs: list[Path]) -> None:
    command = [sys.executable, "-c", READ_AND_MEASURE, *map(str, bombs)]
    costs = [
        tuple(map(float, line.split()))
        for line in subprocess.check_output(command, text=True).splitlines()
    ]
    assert len(costs) == len(bombs)
    assert max(seconds for seconds, _ in costs) < 1
    kilobytes = 1 if sys.platform == "linux" else 1 / 1024  # macOS counts bytes
    assert costs[-1][1] * kilobytes < 200_000
