"""Signals while images are fetched or decoded: a prompt end, nothing left behind or trusted."""

import hashlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torture_campaign.children import Child, ForkServer, wait_until

Start = Callable[..., Child]

EXIT_CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}

both_signals = pytest.mark.parametrize("signum", EXIT_CODES)


def stop(process: Child, signum: signal.Signals) -> None:
    """Send the signal; the process must end soon, with its exit code and no traceback."""
    process.signal(signum)
    ended = process.wait(30)
    assert ended.exit_code == EXIT_CODES[signum], ended.stderr
    assert not ended.has_traceback


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def write_photographs(root: Path, side_px: int, number: int) -> None:
    """Link one photograph ``number`` times into each of two classes: long work, little disk."""
    noise = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    for name in ("cat", "dog"):
        (root / "train" / name).mkdir(parents=True)
    first = root / "train" / "cat" / "0.jpg"
    Image.fromarray(noise).resize((side_px, side_px)).save(first, quality=70, progressive=True)
    for name in ("cat", "dog"):
        for i in range(number):
            if (path := root / "train" / name / f"{i}.jpg") != first:
                path.hardlink_to(first)


FIT = ["fit", "--config", "c.yaml", "--data-dir", "data", "--device", "cpu"]
CONFIG = "data: {name: folder, root: images}\nmodel: {name: linear}\n"


def kept_files(folder: Path) -> list[Path]:
    found = (folder / "data" / "folder-cache").iterdir()
    return [path for path in found if path.suffix != ".lock"]


@both_signals
def test_a_signal_ends_the_decoding_of_large_photographs(
    start_command: Start, tmp_path: Path, signum: signal.Signals
):
    write_photographs(tmp_path / "images", 6_000, 200)  # all of them take longer than we wait
    (tmp_path / "c.yaml").write_text(CONFIG)
    process = start_command(*FIT, cwd=tmp_path)
    process.wait_until_said("Decoding the train images")
    time.sleep(0.5)  # the threads are at work
    stop(process, signum)
    assert kept_files(tmp_path) == []
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="looks for child processes in /proc")
@both_signals
def test_a_signal_ends_the_processes_that_decode(
    start_command: Start, tmp_path: Path, signum: signal.Signals
):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core decodes without processes")
    write_photographs(tmp_path / "images", 1_000, 2_000)
    (tmp_path / "c.yaml").write_text(CONFIG)
    process = start_command(*FIT, cwd=tmp_path)
    process.wait_until_said("Decoding the train images")
    wait_until(lambda: len(children_of(process.pid)) >= 2, "two processes")
    children = children_of(process.pid)
    assert all(map(is_running, children))
    stop(process, signum)
    wait_until(lambda: not any(map(is_running, children)), "their end")
    assert kept_files(tmp_path) == []


class EndlessHandler(BaseHTTPRequestHandler):
    """Sends the beginning of a file, and then a byte now and then."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        self.wfile.write(bytes(100_000))
        with_pauses = iter(lambda: self.server.may_end.wait(0.05), True)  # type: ignore[attr-defined]
        try:
            for _ in with_pauses:
                self.wfile.write(b"\0")
        except OSError:
            pass  # the client was stopped

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def endless_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), EndlessHandler) as server:
        server.may_end = threading.Event()  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/file"
        server.may_end.set()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


def download(url: str) -> None:
    """Get a file of zeros from there, as if it were CIFAR-10."""
    from cnn_train.cli.main import main
    from cnn_train.data.cifar10 import dataset

    content = bytes(1_000_000)
    release = dataset.RELEASES[0]
    remote = replace(
        release.archive, urls=(url,), num_bytes=len(content), allowed_schemes=("http",),
        sha256=hashlib.sha256(content).hexdigest(),
    )  # fmt: skip
    dataset.RELEASES = (replace(release, archive=remote),)
    if "no-such-host" in url:  # like the system's: waits in C, where no signal is heard
        socket.getaddrinfo = lambda *_, **__: hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
    os.environ["no_proxy"] = "*"
    sys.argv = ["cnn-train", "data", "get", "--data-dir", "data"]
    main()


@pytest.fixture
def start_download(fork_server: ForkServer, tmp_path: Path) -> Iterator[Start]:
    started: list[Child] = []

    def start(url: str) -> Child:
        started.append(fork_server.start(f"{__file__}:download", {"url": url}, tmp_path))
        return started[-1]

    yield start
    for child in started:
        child.leaves_orphans()


@both_signals
def test_a_signal_ends_a_download_and_keeps_what_arrived(
    start_download: Start, tmp_path: Path, endless_url: str, signum: signal.Signals
):
    part = tmp_path / "data" / "cifar-10-python.tar.gz.part"
    process = start_download(endless_url)
    wait_until(part.exists, "a partial file")
    process.wait_until_said("Downloading")
    time.sleep(0.2)
    stop(process, signum)
    assert part.stat().st_size >= 100_000
    assert {path.name for path in part.parent.iterdir()} == {part.name, f"{part.stem}.lock"}


def test_a_signal_is_heard_while_no_name_server_answers(start_download: Start, tmp_path: Path):
    process = start_download("http://no-such-host.invalid/file")
    wait_until((tmp_path / "data").exists, "a data directory")
    time.sleep(0.5)
    stop(process, signal.SIGTERM)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["cifar-10-python.tar.gz.lock"]
