"""Archives and servers that lie: nothing of theirs is used, and nothing is written elsewhere."""

import io
import os
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cnn_train.cli.main import main
from cnn_train.data.cifar10 import dataset as cifar10
from cnn_train.data.cifar10.releases import PYTHON_RELEASE

Run = Callable[..., tuple[int, str, str]]
Member = tuple[tarfile.TarInfo, bytes]

INSIDE = "cifar-10-batches-bin"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run ``cnn-train ARGUMENTS`` in ``tmp_path/here``; return (exit code, stdout, stderr)."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("CNN_TRAIN_DATA", str(tmp_path / "here" / "data"))
    monkeypatch.setenv("no_proxy", "*")

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cnn-train", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        written = capsys.readouterr()
        return int(end.value.code or 0), written.out, written.err

    return run


def member(
    name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = ""
) -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, len(content)
    return info, content


def write_archive(path: Path, members: list[Member]) -> None:
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))


UNSAFE = {
    "parent": member("../evil", b"evil"),
    "absolute": member("{outside}/evil", b"evil"),
    "symlink": member(f"{INSIDE}/data_batch_1.bin", kind=tarfile.SYMTYPE, target="{outside}/own"),
    "hard link": member(f"{INSIDE}/data_batch_1.bin", kind=tarfile.LNKTYPE, target="../../own"),
    "device": member(f"{INSIDE}/null", kind=tarfile.CHRTYPE),
    "pipe": member(f"{INSIDE}/pipe", kind=tarfile.FIFOTYPE),
    "bomb": member(f"{INSIDE}/zeros", bytes((1 << 28) + 1)),
}


@pytest.mark.parametrize("fault", UNSAFE)
def test_an_unsafe_archive_is_refused_in_one_line_and_writes_nothing_outside(
    run: Run, tmp_path: Path, fault: str
):
    (tmp_path / "own").write_text("precious")
    info, content = UNSAFE[fault]
    info = info.replace(name=info.name.format(outside=tmp_path), deep=True)
    info.linkname = info.linkname.format(outside=tmp_path)
    top = member(INSIDE, kind=tarfile.DIRTYPE)
    write_archive(tmp_path / "here" / "a.tar.gz", [top, (info, content)])
    (tmp_path / "here" / "c.yaml").write_text("data: {path: a.tar.gz}")
    code, out, err = run("fit", "--config", "c.yaml")
    assert (code, out) == (3, "")
    assert err.splitlines()[-1].startswith("error: ") and "refused" in err
    assert {path.name for path in tmp_path.iterdir()} == {"here", "own"}
    assert (tmp_path / "own").read_text() == "precious"
    written = {path for path in (tmp_path / "here").rglob("*") if path.is_file()}
    assert all(path.stat().st_size == 0 for path in written if path.suffix == ".lock")
    assert {path.name for path in written if path.suffix != ".lock"} == {"a.tar.gz", "c.yaml"}


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><html>login</html>", b"\x1f\x8b\x08"])
def test_a_file_that_is_no_archive_is_refused(run: Run, tmp_path: Path, content: bytes):
    (tmp_path / "here" / "a.tar.gz").write_bytes(content)
    code, out, err = run("data", "verify", "--set", "data.path=a.tar.gz")
    assert (code, out) == (3, "")
    assert "a.tar.gz: " in err and "Traceback" not in err


CONTENT = os.urandom(50_000)
LIES = {
    "half": (200, CONTENT[:25_000], "application/gzip"),
    "wrong": (200, CONTENT[::-1], "application/gzip"),
    "login": (200, b"<html>log in</html>".ljust(len(CONTENT)), "text/html"),
    "disguised": (200, b"<html>log in</html>".ljust(len(CONTENT)), "application/gzip"),
    "gone": (404, b"not found", "text/plain"),
}


class LyingHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/honest":
            start = int((self.headers["Range"] or "bytes=0-")[6:-1])
            status, body, kind = 206 if start else 200, CONTENT[start:], "application/gzip"
            self.send_response(status)
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        else:
            status, body, kind = LIES[self.path[1:]]
            self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Return a function that makes paths of a server on this machine the archive's only homes."""
    with ThreadingHTTPServer(("127.0.0.1", 0), LyingHandler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()

        def publish(*paths: str) -> None:
            remote = replace(
                PYTHON_RELEASE.archive,
                urls=tuple(f"http://127.0.0.1:{server.server_port}/{path}" for path in paths),
                num_bytes=len(CONTENT),
                sha256=sha256(CONTENT).hexdigest(),
                allowed_schemes=("http",),
            )
            monkeypatch.setattr(cifar10, "RELEASES", (replace(PYTHON_RELEASE, archive=remote),))

        yield publish
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("lie", LIES)
def test_what_a_lying_server_sends_is_never_used(run, publish, tmp_path, lie):
    publish(lie)
    code, out, err = run("data", "get")
    assert (code, out) == (3, "")
    assert err.splitlines()[-1].startswith("error: cannot download cifar-10-python.tar.gz: ")
    archive = tmp_path / "here" / "data" / "cifar-10-python.tar.gz"
    part = archive.with_name(archive.name + ".part")
    assert not archive.exists()
    assert part.exists() == (lie == "half")  # what may be continued is kept, and nothing else
    publish("honest")
    assert run("data", "get")[0] == 0
    assert (archive.read_bytes(), part.exists()) == (CONTENT, False)


def test_plain_http_is_never_a_way_out(run, publish, monkeypatch):
    publish("honest")
    release = cifar10.RELEASES[0]
    remote = replace(release.archive, allowed_schemes=("https",))
    monkeypatch.setattr(cifar10, "RELEASES", (replace(release, archive=remote),))
    code, _, err = run("data", "get")
    assert (code, "only https is allowed" in err) == (3, True)
