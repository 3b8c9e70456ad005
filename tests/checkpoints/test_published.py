"""Published weights from a server on this machine that is kind, silent, hasty or a liar."""

import hashlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from cnn_train.checkpoints import published
from cnn_train.checkpoints.published import published_file
from cnn_train.errors import CheckpointError, CnnTrainError, UsageError

CONTENT = bytes(range(256)) * 40
NAME = f"net-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


class Handler(BaseHTTPRequestHandler):
    """Answers by the first folder of the address."""

    def do_GET(self) -> None:
        manner = self.path.split("/")[1]
        if manner == "silent":
            return
        if manner == "absent":
            self.send_error(404)
            return
        body = CONTENT[::-1] if manner == "liar" else CONTENT
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: 3000 if manner == "hasty" else None])

    def log_message(self, *words: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


def bring(address: str, offline: bool = False) -> Path:
    return published_file(f"{address}/{NAME}", offline=offline, notice=lambda message: None)


def test_a_file_is_downloaded_once_into_torchs_own_cache(
    address: str, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    path = published_file(f"{address}/kind/{NAME}", offline=False, notice=said.append)
    assert path == cache / NAME
    assert path.read_bytes() == CONTENT
    assert said == [f"Downloading {address}/kind/{NAME} to {cache} …"]
    assert bring(f"{address}/absent") == path  # nobody is asked again
    assert bring(f"{address}/absent", offline=True) == path
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("manner", "reason"),
    [
        ("liar", "it sent another file, or only a part of it"),
        ("hasty", "it sent another file, or only a part of it"),
        ("absent", "Not Found"),
        ("silent", "without response"),
    ],
)
def test_a_download_that_fails_or_lies_is_one_line_with_the_way_out_and_leaves_nothing(
    address: str, cache: Path, manner: str, reason: str
) -> None:
    with pytest.raises(CheckpointError) as caught:
        bring(f"{address}/{manner}")
    message = str(caught.value)
    assert f"cannot download {NAME} from 127.0.0.1: " in message
    assert reason in message
    assert message.endswith(f"on a machine with a network and put it at {cache / NAME}")
    assert len(message.splitlines()) == 1
    assert list(cache.iterdir()) == []


def test_a_server_that_stalls_is_given_up(
    address: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "STALL_SECONDS", 0.05)
    listener = HTTPServer(("127.0.0.1", 0), Handler)  # accepts and never serves
    with pytest.raises(CheckpointError, match="timed out"):
        bring(f"http://127.0.0.1:{listener.server_port}")
    listener.server_close()


def test_offline_a_missing_file_is_one_line_that_says_where_to_put_it(
    address: str, cache: Path
) -> None:
    with pytest.raises(CheckpointError, match=r"--offline forbids .* put it at ") as caught:
        bring(address, offline=True)
    assert str(cache / NAME) in str(caught.value)
    assert not cache.exists()


def test_a_damaged_file_in_the_cache_is_refused_before_it_is_read(
    address: str, cache: Path
) -> None:
    cache.mkdir(parents=True)
    (cache / NAME).write_bytes(CONTENT[:-1])
    with pytest.raises(CheckpointError, match="damaged, or not torchvision's file"):
        bring(f"{address}/kind")


def test_a_file_in_the_cache_that_cannot_be_read_is_named(address: str, cache: Path) -> None:
    (cache / NAME).mkdir(parents=True)
    with pytest.raises(CheckpointError, match=rf"{NAME}: cannot read \(Is a directory\)"):
        bring(f"{address}/kind")


def test_a_cache_that_cannot_be_written_is_named(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "file"))
    with pytest.raises(UsageError, match=r"cannot be written .* TORCH_HOME") as caught:
        bring(f"{address}/kind")
    assert isinstance(caught.value, CnnTrainError)
