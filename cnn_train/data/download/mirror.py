"""Continue a partial file from one mirror, and name precisely what a mirror did wrong."""

import errno
import http.client
import os
import shutil
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from ...version import __version__
from ..dataset import DataAccess
from .remote_file import RemoteFile

CHUNK_BYTES = 1 << 18
MIN_BYTES_PER_SECOND = 1024  # slower than this over a whole stall period counts as a stall


class MirrorError(Exception):
    """One mirror did not deliver; the next one may."""


class BrokenOffError(MirrorError):
    """The connection died half-way; what arrived is kept, and the same mirror may go on."""


@dataclass(frozen=True)
class Mirror:
    """One place that serves ``remote``, and the partial file that collects what it sends."""

    url: str
    remote: RemoteFile
    part: Path
    access: DataAccess
    stall_seconds: float

    def fetch(self) -> None:
        """Ask once for what ``part`` still lacks; whatever arrives is kept.

        Raises MirrorError for everything the mirror does wrong, OSError where the disk fails.
        """
        start = self.num_bytes_here()
        if start > self.remote.num_bytes:
            self.part.unlink()
            start = 0
        if start == self.remote.num_bytes:
            return
        with self._open(start) as response:
            start = self._check_answer(response, start)
            if shutil.disk_usage(self.part.parent).free < self.remote.num_bytes - start:
                raise OSError(errno.ENOSPC, "no space left", str(self.part))
            self._append(response, start)

    def num_bytes_here(self) -> int:
        """Return how much of the file is here already."""
        return self.part.stat().st_size if self.part.exists() else 0

    def _open(self, start: int) -> http.client.HTTPResponse:
        require_scheme(self.url, self.remote.allowed_schemes)
        headers = {"User-Agent": f"cnn-train/{__version__}", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        request = urllib.request.Request(self.url, headers=headers)
        opener = urllib.request.build_opener(GuardedRedirects(self.remote.allowed_schemes))
        try:
            return _call_interruptibly(lambda: opener.open(request, timeout=self.stall_seconds))
        except urllib.error.HTTPError as error:
            error.close()
            raise MirrorError(f"HTTP {error.code} {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            raise MirrorError(self._explain(error)) from error

    def _explain(self, error: Exception) -> str:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, socket.gaierror):
            return "cannot find this host (no network, or its name does not resolve)"
        if isinstance(reason, TimeoutError):
            return f"no answer for {self.stall_seconds:g} seconds"
        return str(reason) or type(reason).__name__

    def _check_answer(self, response: http.client.HTTPResponse, start: int) -> int:
        """Return the offset at which the body begins; refuse an answer that is not this file."""
        if response.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
            raise MirrorError("sent a web page instead of the file (a login or error page?)")
        if response.status == 206:
            span = f"bytes {start}-{self.remote.num_bytes - 1}"
            sent = response.headers.get("Content-Range", "none")
            if sent not in (f"{span}/{self.remote.num_bytes}", f"{span}/*"):
                raise MirrorError(f"answered another range than asked for ({sent})")
        elif response.status == 200:
            start = 0  # the mirror knows no ranges and sends everything
        else:
            raise MirrorError(f"HTTP {response.status} {response.reason}")
        announced = response.headers.get("Content-Length")
        expected = self.remote.num_bytes - start
        if announced is not None and announced != str(expected):
            raise MirrorError(f"announces {announced} bytes, expected {expected}")
        return start

    def _append(self, response: http.client.HTTPResponse, start: int) -> None:
        """Write the body behind the first ``start`` bytes of ``part``; force it to the disk."""
        title = f"Downloading {self.remote.name} from {urlsplit(response.url).hostname}"
        with (
            self.part.open("r+b" if start else "wb") as file,
            self.access.progress(title, self.remote.num_bytes, unit="bytes") as advance,
        ):
            file.seek(start)
            advance(start)
            try:
                for chunk in self._receive(response, self.remote.num_bytes - start):
                    file.write(chunk)
                    advance(len(chunk))
            finally:
                file.flush()
                os.fsync(file.fileno())

    def _receive(self, response: http.client.HTTPResponse, num_bytes: int) -> Iterator[bytes]:
        """Yield exactly ``num_bytes``, or raise MirrorError where the mirror stops or crawls."""
        missing = num_bytes
        period_start, period_bytes = time.monotonic(), 0
        while missing:
            chunk = self._read_some(response, min(CHUNK_BYTES, missing))
            if not chunk:
                raise BrokenOffError(f"sent {num_bytes - missing} of {num_bytes} bytes")
            yield chunk
            missing -= len(chunk)
            period_bytes += len(chunk)
            if time.monotonic() - period_start >= self.stall_seconds:
                if period_bytes < MIN_BYTES_PER_SECOND * self.stall_seconds:
                    raise MirrorError(
                        f"stalled: {period_bytes} bytes in {self.stall_seconds:g} seconds"
                    )
                period_start, period_bytes = time.monotonic(), 0

    def _read_some(self, response: http.client.HTTPResponse, max_bytes: int) -> bytes:
        try:
            return response.read1(max_bytes)  # read() would wait for all of them, drip by drip
        except TimeoutError as error:
            raise MirrorError(f"stalled: nothing for {self.stall_seconds:g} seconds") from error
        except (OSError, http.client.HTTPException) as error:
            raise BrokenOffError(f"connection lost ({error})") from error


def _call_interruptibly(call: Callable[[], http.client.HTTPResponse]) -> http.client.HTTPResponse:
    """Call in a thread, so that a signal ends the wait.

    Looking up a host's name cannot be interrupted; where no name server answers, it takes long.
    """
    answers: list[http.client.HTTPResponse] = []
    problems: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(call())
        except BaseException as problem:
            problems.append(problem)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join()
    if problems:
        raise problems.pop()  # pop: a reference left here would keep its socket open
    return answers.pop()


class GuardedRedirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects, but never from https down to http."""

    def __init__(self, allowed_schemes: tuple[str, ...]) -> None:
        self.allowed_schemes = allowed_schemes

    def redirect_request(self, *answer: Any) -> urllib.request.Request | None:
        """Let urllib make the next request once the scheme of its URL, the last, is allowed."""
        require_scheme(answer[-1], self.allowed_schemes)
        return super().redirect_request(*answer)


def require_scheme(url: str, allowed_schemes: tuple[str, ...]) -> None:
    """Raise MirrorError unless ``url`` uses one of the allowed schemes."""
    if urlsplit(url).scheme not in allowed_schemes:
        raise MirrorError(f"refused to use {url}: only {' or '.join(allowed_schemes)} is allowed")
