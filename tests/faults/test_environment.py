"""Machines that lack something: files to open, a GPU, memory, a home, a place to write, time."""

import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torture_campaign.children import ForkServer, wait_until

from cnn_train.runs.directory import RunDirectory

Run = Callable[..., Any]

FOLDER = "data={name: folder, root: images, image_size: 16}"


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> Path:
    """A folder whose name is no identifier, with a config and images of two classes."""
    folder = tmp_path_factory.mktemp("some where") / "größe 🦆" / ("d" * 255)
    rng = np.random.default_rng(0)
    for split, number in (("train", 40), ("test", 4)):
        for name in ("big cat", "собака"):
            (folder / "images" / split / name).mkdir(parents=True)
            for i in range(number):
                pixels = rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)
                path = folder / "images" / split / name / f"{'i' * 240}{i}.png"
                Image.fromarray(pixels).save(path)
    (folder / "my config.yaml").write_text((trained / "tiny.yaml").read_text())
    return folder


def fit(run_main: Run, *arguments: str) -> Any:
    return run_main("fit", "--config", "my config.yaml", "--set", FOLDER, *arguments)


def allow_64_open_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def test_64_open_files_are_enough(start_command: Run, workplace: Path) -> None:
    arguments = ("fit", "-c", "my config.yaml", "--set", FOLDER, "--data-dir", "few")
    child = start_command(*arguments, cwd=workplace, disturb=f"{__file__}:allow_64_open_files")
    ended = child.wait()
    assert ended.exit_code == 0, ended.stderr


def test_too_few_open_files_are_named(run_main: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from cnn_train.cli import main as main_module

    descriptors: list[int] = []

    def open_forever() -> None:
        while True:
            descriptors.append(os.open(os.devnull, os.O_RDONLY))

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    monkeypatch.setattr(main_module, "app", open_forever)
    monkeypatch.setattr(main_module, "abandon_output", sys.exit)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        ended = run_main()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in descriptors:
            os.close(descriptor)
    assert ended.exit_code == 6
    assert ended.stderr == "error: too many open files; allow more with: ulimit -n 1024\n"


def test_no_shared_memory_is_used(
    run_main: Run, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("a tiny /dev/shm would break this")

    monkeypatch.chdir(workplace)
    monkeypatch.setattr(torch.UntypedStorage, "_share_filename_cpu_", refuse)
    monkeypatch.setattr(torch.UntypedStorage, "_share_fd_cpu_", refuse)
    monkeypatch.setattr("multiprocessing.shared_memory.SharedMemory", refuse)
    monkeypatch.setattr("torch.utils.data.DataLoader.__init__", refuse)
    assert fit(run_main, "--data-dir", "shm").exit_code == 0


def test_without_a_home_a_run_works_or_says_what_to_name(
    run_main: Run, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workplace)
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: (_ for _ in ()).throw(KeyError(uid)))
    assert fit(run_main, "--data-dir", "homeless").exit_code == 0
    ended = fit(run_main)
    assert ended.exit_code == 2
    assert "the home directory is unknown (HOME is not set); name a directory" in ended.stderr


def test_paths_of_any_letters_and_the_longest_names_work_from_fit_to_predict(
    run_main: Run, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workplace)
    ended = fit(run_main, "--data-dir", "my data", "--run-root", "my runs", "--json")
    checkpoint = json.loads(ended.stdout)["best_checkpoint"]
    assert f"next: cnn-train evaluate '{checkpoint}'" in ended.stderr
    ended = run_main("evaluate", checkpoint, "--data-dir", "my data", "--out", "my report")
    assert (ended.exit_code, Path("my report/confusion.png").exists()) == (0, True)
    ended = run_main("predict", "images/test", "--checkpoint", checkpoint, "--json")
    assert (ended.exit_code, len(json.loads(ended.stdout)["predictions"])) == (0, 8)


@pytest.mark.parametrize("option", [["--name", "n" * 255], ["--run-root", "r" * 256]])
def test_a_name_that_is_too_long_is_a_usage_error(
    run_main: Run, trained: Path, option: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained)
    ended = run_main("fit", "--config", "tiny.yaml", *option)
    assert ended.exit_code == 2
    blamed, value = option
    assert f"{blamed} {value}: cannot make a run directory (File name too long)" in ended.stderr


def create_run() -> None:
    wait_until(Path("go").exists, "a start")
    print(RunDirectory.create(Path("runs"), "same").path)  # noqa: T201


def test_twenty_processes_that_start_in_the_same_second_have_twenty_runs(
    fork_server: ForkServer, tmp_path: Path
) -> None:
    children = [fork_server.start(f"{__file__}:create_run", {}, tmp_path) for _ in range(20)]
    (tmp_path / "go").touch()
    ended = [child.wait() for child in children]
    assert {one.exit_code for one in ended} == {0}
    assert len({one.stdout for one in ended}) == 20
    assert (tmp_path / "runs/latest").resolve().name.startswith("same-")


def test_a_clock_that_jumps_back_costs_neither_a_run_nor_the_order_of_latest(
    run_main: Run, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained)
    arguments = ["fit", "--config", "tiny.yaml", "--run-root", "clocks", "--json"]
    first = json.loads(run_main(*arguments).stdout)
    monkeypatch.setattr("time.strftime", lambda form: "19700101-000000")
    monkeypatch.setattr("time.time", lambda: 0.0)
    second = json.loads(run_main(*arguments).stdout)
    assert second["run_dir"] != first["run_dir"]
    assert second["seconds"] >= 0
    assert Path("clocks/latest").resolve() == Path(second["run_dir"]).resolve()


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:99", "mps"])
def test_a_gpu_that_is_asked_for_and_absent_is_no_silent_cpu(
    run_main: Run, trained: Path, device: str
) -> None:
    for command in (
        ["fit", "--config", trained / "tiny.yaml"],
        ["evaluate", trained / "runs/latest"],
        ["predict", "x.png", "--run-root", trained / "runs"],
    ):
        ended = run_main(*command, "--device", device)
        assert (ended.exit_code, ended.stdout) == (2, "")
        assert f"error: --device {device}: " in ended.stderr


def short_of_memory(*arguments: Any, **options: Any) -> None:
    torch.empty(2**46, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("evaluate runs/latest --batch-size 8", "8 images per batch, 67,108,864 MiB more were "
         "asked for; try --batch-size=4 or a smaller model"),
        ("predict image.png", "1 image per batch, 67,108,864 MiB more were asked for; "
         "try a smaller model"),
        ("profile --config tiny.yaml --batches 1", "20 images per batch, 67,108,864 MiB more were "
         "asked for; try --set batch_size=10 or a smaller model"),
    ],
)  # fmt: skip
def test_a_lack_of_memory_names_the_batch_size_and_what_to_try(
    run_main: Run, trained: Path, monkeypatch: pytest.MonkeyPatch, command: str, said: str
) -> None:
    monkeypatch.chdir(trained)
    Image.new("RGB", (16, 16)).save("image.png")
    monkeypatch.setattr("torch.nn.functional.linear", short_of_memory)
    ended = run_main(*command.split())
    assert ended.exit_code == 6
    assert ended.stderr.splitlines()[-1] == f"error: out of memory on cpu with {said}"
