"""Configs and overrides as users get them wrong, and as nobody should write them."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torture_campaign.bad_configs import BAD_CONFIGS, BAD_OVERRIDES, BOMBS, config_bytes

Run = Callable[..., Any]


@pytest.mark.parametrize("name", BAD_CONFIGS)
def test_a_wrong_file_is_a_located_line_for_each_error_and_exit_code_2(
    run_main: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_bytes(config_bytes(name))
    ended = run_main("config", "check", "c.yaml")
    assert (ended.exit_code, ended.stdout) == (2, "")
    lines, (_, *findings) = ended.stderr.splitlines(), BAD_CONFIGS[name]
    for line, finding in zip(lines, findings, strict=True):
        assert line.startswith(f"error: c.yaml:{finding}")
    assert [path.name for path in Path().iterdir()] == ["c.yaml"]


@pytest.mark.parametrize(
    "text", ["optimizer: {lr: 1e-3}", "optimizer: {lr: 5e+2}", "epochs: 010", ""]
)
def test_numbers_of_yaml_1_2_and_an_empty_file_are_right(run_main: Run, text: str) -> None:
    ended = run_main("config", "check", "-", stdin=text.encode())
    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, "<stdin>: ok\n", "")


@pytest.mark.parametrize(("override", "said"), BAD_OVERRIDES.items())
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
