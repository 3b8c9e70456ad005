"""Datasets that are absent, damaged, changed, in use or wrong: as the commands meet them."""

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_train.data.dataset import DataAccess
from cnn_train.data.folder.dataset import FolderConfig

Run = Callable[..., tuple[int, str, str]]

CONFIG = """
data: {name: folder, root: images, image_size: 8}
model: {name: linear}
batch_size: 8
epochs: 1
precision: float32
"""


@pytest.fixture
def run(run_main: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run ``cnn-train ARGUMENTS`` in ``tmp_path``; return (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CNN_TRAIN_DATA", str(tmp_path / "data"))
    return run_main


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Twelve training images and four test images of two classes, as BMP: no byte is redundant."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    rng = np.random.default_rng(0)
    for split, number in (("train", 6), ("test", 2)):
        for name in ("cat", "dog"):
            for i in range(number):
                path = tmp_path / "images" / split / name / f"{i}.bmp"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    return tmp_path / "images"


def fit(run: Run, *arguments: object) -> tuple[int, str, str]:
    return run("fit", "--config", "config.yaml", "--device", "cpu", *arguments)


def flip_a_bit(path: Path, *, keep_time: bool) -> None:
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + (not keep_time)))


@pytest.mark.parametrize("command", ["fit", "get"])
def test_an_absent_dataset_offline_says_where_it_looked_and_what_to_do(run, tmp_path, command):
    (tmp_path / "c.yaml").write_text("{}")
    arguments = ("fit", "--config", "c.yaml") if command == "fit" else ("data", "get")
    code, out, err = run(*arguments, "--offline")
    assert (code, out, err.count("\n")) == (3, "", 1)
    for part in (str(tmp_path / "data"), "https://", "on a machine with a network", "SHA-256"):
        assert part in err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("problem", ["no name server", "no route"])
def test_without_a_network_every_host_is_named_and_the_step_by_hand(
    run, tmp_path, monkeypatch, problem
):
    def look_up(*arguments: object, **options: object) -> list[object]:
        if problem == "no name server":
            raise socket.gaierror(-3, "Temporary failure in name resolution")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 443))]  # refused here

    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    code, _, err = run("data", "get")
    last = err.splitlines()[-1]
    assert code == 3
    assert last.startswith("error: cannot download cifar-10-python.tar.gz: ")
    assert "www.cs.toronto.edu" in last and "on a machine with a network" in last
    assert ("cannot find this host" in last) == (problem == "no name server")


def test_a_flipped_bit_behind_size_and_time_is_found_when_asked_for(run, images):
    assert fit(run)[0] == 0
    flip_a_bit(images / "train" / "cat" / "3.bmp", keep_time=True)
    assert fit(run, "--dry-run")[0] == 0  # the size and the time say that nothing changed
    evaluate = ("evaluate", "runs/latest", "--split", "train", "--device", "cpu")
    assert run(*evaluate)[0] == 0
    code, _, err = run(*evaluate, "--verify-data")
    assert code == 3
    assert "train/cat/3.bmp; restore them" in err.splitlines()[-1]
    code, out, _ = run("data", "verify", "--config", "config.yaml", "--json")
    problems = {one["split"]: one["problem"] for one in json.loads(out)["splits"]}
    assert code == 3
    assert "train/cat/3.bmp" in problems["train"]


def test_a_run_does_not_go_on_with_images_that_changed(run, images):
    assert fit(run)[0] == 0
    flip_a_bit(images / "train" / "dog" / "2.bmp", keep_time=False)
    code, _, err = run("fit", "--resume", "runs/latest", "--device", "cpu")
    assert (code, "images are not those that the run was trained on" in err) == (4, True)


def test_a_flipped_bit_in_the_decoded_images_is_found_by_itself(run, images, tmp_path):
    assert fit(run, "--dry-run")[0] == 0
    (cache,) = (tmp_path / "data" / "folder-cache").glob("train-*.bin")
    intact = cache.read_bytes()
    flip_a_bit(cache, keep_time=True)
    code, _, err = fit(run, "--dry-run")
    assert (code, f"{cache}: is damaged" in err) == (0, True)
    assert cache.read_bytes() == intact


def test_wrong_classes_are_named_before_a_run_begins(run, images, tmp_path):
    (images / "test").rename(images / "val")
    (images / "val" / "dog").rename(images / "val" / "wolf")
    code, _, err = fit(run)
    message = "val has classes that training lacks: wolf; training has cat, dog"
    assert (code, message in err.splitlines()[-1]) == (3, True), err
    assert not (tmp_path / "runs").exists()


def test_images_of_other_classes_than_the_models_are_refused(run, images):
    assert fit(run)[0] == 0
    (images / "test" / "dog").rename(images / "test" / "wolf")
    code, _, err = run("evaluate", "runs/latest", "--device", "cpu")
    assert (code, "classes that training lacks: wolf" in err) == (3, True)


def test_a_second_process_waits_for_the_first_ones_decoding(start_command, images, tmp_path):
    """The first is this process; the second says that it waits, and then decodes nothing."""
    may_go_on, begun = threading.Event(), threading.Event()

    @contextmanager
    def progress(description: str, total: int | None, *, unit: str = "items") -> Iterator[object]:
        begun.set()
        assert may_go_on.wait(60)
        yield lambda amount: None

    config = FolderConfig(root=images, image_size=8)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(config.load_train, DataAccess(tmp_path / "data", progress=progress))
        assert begun.wait(60)
        dry_run = "fit --config config.yaml --data-dir data --device cpu --dry-run"
        second = start_command(*dry_run.split(), cwd=tmp_path)
        second.wait_until_said("another process is decoding the same images; waiting")
        may_go_on.set()
        assert len(first.result()) == 12
    ended = second.wait()
    assert ended.exit_code == 0, ended.stderr
    assert "Decoding" not in ended.stderr
