"""The downloader against a server that lies in every way that users have met."""

import fcntl
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request

import pytest

from cnn_train.data.dataset import DataAccess
from cnn_train.data.download import mirror
from cnn_train.data.download.download import download
from cnn_train.data.download.mirror import GuardedRedirects, MirrorError
from cnn_train.data.download.remote_file import RemoteFile
from cnn_train.errors import DataError, ResourceError, UsageError

CONTENT = random.Random(0).randbytes(700_000)
HALF = len(CONTENT) // 2


class LyingHandler(BaseHTTPRequestHandler):
    """Serves CONTENT at /honest, and spoils it at every other path as the path says."""

    server: "LyingServer"

    def do_GET(self) -> None:
        self.server.requests.append((self.path, self.headers.get("Range")))
        getattr(self, self.path.strip("/"))()

    def answer(self, body: bytes, *, status: int = 200, announce: int | None = None, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if announce is None else announce))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def first_asked(self) -> int:
        asked = self.headers.get("Range")
        return int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0

    def answer_rest(self, body: bytes, **headers) -> None:
        """Answer with ``body`` where CONTENT from the asked offset on is expected."""
        start = self.first_asked()
        if start:
            headers["Content_Range"] = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        status = 206 if start else 200
        self.answer(body, status=status, announce=len(CONTENT) - start, **headers)

    def honest(self) -> None:
        self.answer_rest(CONTENT[self.first_asked() :])

    def without_length(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(CONTENT)

    def ignores_range(self) -> None:
        self.answer(CONTENT)

    def another_range(self) -> None:
        self.answer(CONTENT, status=206, Content_Range=f"bytes 0-{len(CONTENT) - 1}/*")

    def truncates_once(self) -> None:
        if len(self.server.requests) > 1:
            self.honest()
        else:
            self.answer_rest(CONTENT[:HALF])

    def truncates_at_half(self) -> None:
        self.answer_rest(CONTENT[self.first_asked() : HALF])

    def truncates_often(self) -> None:
        start = self.first_asked()
        self.answer_rest(CONTENT[start : start + 1000])

    def stalls(self) -> None:
        self.answer_rest(CONTENT[:1000])
        self.server.may_end.wait(10)

    def drips(self) -> None:
        self.answer_rest(b"")
        for byte in CONTENT[self.first_asked() :]:
            self.wfile.write(bytes([byte]))
            if self.server.may_end.wait(0.02):
                break

    def announces_less(self) -> None:
        self.answer(CONTENT, announce=1000)

    def announces_more(self) -> None:
        self.answer(CONTENT, announce=len(CONTENT) + 1)

    def login_page(self) -> None:
        self.answer(b"<html>Please log in</html>", Content_Type="text/html; charset=utf-8")

    def login_page_in_disguise(self) -> None:
        self.answer(b"<html>Please log in</html>".ljust(len(CONTENT)))

    def not_found(self) -> None:
        self.answer(b"gone", status=404)

    def no_content(self) -> None:
        self.answer(b"", status=204)

    def wrong_bits(self) -> None:
        self.answer(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))

    def redirects(self) -> None:
        self.answer(b"", status=302, Location="/honest")

    def redirects_elsewhere(self) -> None:
        self.answer(b"", status=302, Location="ftp://example.org/file")

    def hangs_up(self) -> None:
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


class LyingServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), LyingHandler)
        self.requests: list[tuple[str, str | None]] = []
        self.may_end = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients hang up on purpose

    def remote(self, *paths: str) -> RemoteFile:
        urls = tuple(f"http://127.0.0.1:{self.server_port}/{path}" for path in paths)
        digest = sha256(CONTENT).hexdigest()
        return RemoteFile("file.tar.gz", urls, len(CONTENT), digest, allowed_schemes=("http",))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LyingServer]:
    monkeypatch.setenv("no_proxy", "*")
    with LyingServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.may_end.set()
        server.shutdown()
        thread.join()


@dataclass
class Listener:
    """Hears what the downloader says while it works."""

    notices: list[str] = field(default_factory=list)
    advanced: list[int] = field(default_factory=list)

    @contextmanager
    def progress(self, description: str, total: int | None, *, unit: str = "items"):
        assert unit == "bytes" and total == len(CONTENT)
        yield self.advanced.append


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def access(tmp_path: Path, listener: Listener) -> DataAccess:
    return DataAccess(tmp_path / "data", progress=listener.progress, notice=listener.notices.append)


@pytest.fixture
def part(access: DataAccess) -> Path:
    access.data_dir.mkdir()
    return access.data_dir / "file.tar.gz.part"


def files_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()} - {"file.tar.gz.lock"}


def test_a_file_arrives_whole_and_leaves_no_partial_file(server, access, listener):
    path = download(server.remote("honest"), access)
    assert path == access.data_dir / "file.tar.gz"
    assert path.read_bytes() == CONTENT
    assert files_in(access.data_dir) == {"file.tar.gz"}
    assert sum(listener.advanced) == len(CONTENT)


def test_an_intact_file_is_not_asked_for_again(server, access):
    for _ in range(2):
        download(server.remote("honest"), replace(access, offline=bool(server.requests)))
    assert len(server.requests) == 1


def test_a_damaged_file_is_replaced(server, access, part):
    (access.data_dir / "file.tar.gz").write_bytes(bytes(len(CONTENT)))
    assert download(server.remote("honest"), access).read_bytes() == CONTENT


LIES = {
    "truncates_at_half": "sent 0 of 350000 bytes",  # the second attempt brings nothing new
    "truncates_often": "broke off 5 times",
    "stalls": "stalled: nothing for 1 seconds",
    "drips": "bytes in 1 seconds",
    "announces_less": "announces 1000 bytes, expected 700000",
    "announces_more": "announces 700001 bytes, expected 700000",
    "login_page": "sent a web page instead of the file",
    "login_page_in_disguise": "sent a wrong file",
    "not_found": "HTTP 404",
    "no_content": "HTTP 204",
    "wrong_bits": "sent a wrong file",
    "redirects_elsewhere": "refused to use ftp://example.org/file: only http is allowed",
    "hangs_up": "closed connection",
}

PATIENCE_SECONDS = {"stalls": 1.0, "drips": 1.0}  # the others never make us wait


@pytest.mark.parametrize(("lie", "complaint"), LIES.items())
def test_a_lie_is_named_and_never_taken_for_the_file(server, access, lie, complaint):
    with pytest.raises(DataError, match=r"cannot download file\.tar\.gz") as failure:
        download(server.remote(lie), access, stall_seconds=PATIENCE_SECONDS.get(lie, 60))
    assert complaint in str(failure.value)
    assert f"put it at {access.data_dir / 'file.tar.gz'}" in str(failure.value)
    assert "\n" not in str(failure.value)
    assert not (access.data_dir / "file.tar.gz").exists()


@pytest.mark.parametrize("lie", LIES)
def test_the_next_mirror_makes_up_for_a_lie(server, access, listener, lie):
    path = download(
        server.remote(lie, "honest"), access, stall_seconds=PATIENCE_SECONDS.get(lie, 60)
    )
    assert listener.notices[-1].endswith("trying the next mirror")
    assert path.read_bytes() == CONTENT
    assert files_in(access.data_dir) == {"file.tar.gz"}


@pytest.mark.parametrize("lie", ["wrong_bits", "login_page_in_disguise"])
def test_wrong_bytes_are_removed(server, access, lie):
    with pytest.raises(DataError):
        download(server.remote(lie), access)
    assert files_in(access.data_dir) == set()


@pytest.mark.parametrize("path", ["honest", "redirects"])
def test_a_partial_file_is_continued(server, access, part, path):
    part.write_bytes(CONTENT[:1234])
    assert download(server.remote(path), access).read_bytes() == CONTENT
    assert server.requests[-1] == ("/honest", "bytes=1234-")


def test_the_next_mirror_continues_what_the_first_one_began(server, access):
    download(server.remote("truncates_at_half", "honest"), access)
    assert server.requests[-1] == ("/honest", f"bytes={HALF}-")


def test_a_connection_that_broke_is_continued_at_the_same_mirror(server, access, listener):
    assert download(server.remote("truncates_once"), access).read_bytes() == CONTENT
    assert server.requests[1:] == [("/truncates_once", f"bytes={HALF}-")]
    assert "continuing" in listener.notices[0]


@pytest.mark.parametrize("path", ["ignores_range", "without_length"])
def test_a_mirror_without_ranges_starts_over(server, access, part, path):
    part.write_bytes(b"?" * HALF)
    assert download(server.remote(path), access).read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_another_range_than_asked_for_is_refused(server, access, part):
    part.write_bytes(CONTENT[:HALF])
    with pytest.raises(DataError, match="another range than asked for"):
        download(server.remote("another_range"), access)


def test_a_damaged_partial_file_is_thrown_away_and_fetched_afresh(server, access, part):
    part.write_bytes(b"?" * HALF)
    assert download(server.remote("honest"), access).read_bytes() == CONTENT
    assert [asked for _, asked in server.requests] == [f"bytes={HALF}-", None]


@pytest.mark.parametrize("size", [len(CONTENT), len(CONTENT) + 1])
def test_a_partial_file_of_full_length_is_still_verified(server, access, part, size):
    part.write_bytes(bytes(size))
    assert download(server.remote("honest"), access).read_bytes() == CONTENT


def test_a_complete_partial_file_needs_no_network(server, access, part):
    part.write_bytes(CONTENT)
    assert download(server.remote("honest"), access).read_bytes() == CONTENT
    assert server.requests == []


def test_ctrl_c_keeps_what_arrived(server, access):
    arrived = []

    def interrupt(num_bytes: int) -> None:
        arrived.append(num_bytes)
        if sum(arrived) > HALF:
            raise KeyboardInterrupt

    @contextmanager
    def interrupted_progress(description, total, *, unit="items"):
        yield interrupt

    with pytest.raises(KeyboardInterrupt):
        download(server.remote("honest"), replace(access, progress=interrupted_progress))
    assert download(server.remote("honest"), access).read_bytes() == CONTENT
    assert server.requests[1] == ("/honest", f"bytes={sum(arrived)}-")


def test_offline_says_where_it_looked_and_what_to_do(server, access):
    with pytest.raises(DataError) as failure:
        download(server.remote("honest"), replace(access, offline=True))
    destination, digest = access.data_dir / "file.tar.gz", sha256(CONTENT).hexdigest()
    for part_of_it in (str(destination), "/honest", digest):
        assert part_of_it in str(failure.value)
    assert server.requests == []


def test_http_is_never_used_unless_explicitly_allowed(server, access):
    remote = server.remote("honest")
    default_schemes = RemoteFile(remote.name, remote.urls, remote.num_bytes, remote.sha256)
    with pytest.raises(DataError, match="only https is allowed"):
        download(default_schemes, access)
    assert server.requests == []


def test_a_redirect_from_https_to_http_is_refused():
    redirects = GuardedRedirects(("https",))
    request = Request("https://example.org/file")
    with pytest.raises(MirrorError, match="only https is allowed"):
        redirects.redirect_request(request, None, 302, "", {}, "http://example.org/file")
    followed = redirects.redirect_request(request, None, 302, "", {}, "https://example.org/other")
    assert followed.full_url == "https://example.org/other"


def test_a_host_without_an_address_is_named(access, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    remote = RemoteFile("file", ("https://no-such-host.invalid/file",), 1, "0" * 64)

    def fail(*args: object, **kwargs: object) -> None:
        raise mirror.socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(mirror.socket, "getaddrinfo", fail)
    with pytest.raises(DataError, match=r"no-such-host\.invalid: cannot find this host"):
        download(remote, access)


def test_a_closed_port_is_reported(server, access):
    remote = replace(server.remote("honest"), urls=("http://127.0.0.1:1/honest",))
    with pytest.raises(DataError, match="refused"):
        download(remote, access)


def test_a_full_disk_is_noticed_before_anything_is_written(server, access, monkeypatch):
    free = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(mirror.shutil, "disk_usage", lambda path: free)
    with pytest.raises(ResourceError, match="disk is full"):
        download(server.remote("honest"), access)


def test_a_directory_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="--data-dir"):
        download(server.remote("honest"), DataAccess(tmp_path / "file" / "data"))


def test_two_downloads_at_once_fetch_the_file_once(server, access):
    remote = server.remote("honest")
    threads = [threading.Thread(target=download, args=(remote, access)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (access.data_dir / "file.tar.gz").read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_a_second_download_says_that_it_waits_and_then_goes_on(server, access, part):
    notices = []
    with (access.data_dir / "file.tar.gz.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)

        def release_the_other(notice: str) -> None:
            notices.append(notice)
            fcntl.flock(other, fcntl.LOCK_UN)

        path = download(server.remote("honest"), replace(access, notice=release_the_other))
    assert path.read_bytes() == CONTENT
    assert "another process is downloading" in notices[0]
