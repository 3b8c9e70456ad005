"""A small web server for pages on this machine: 127.0.0.1 only, and only with the token.

Any web site that the user visits can send requests to this machine too, but it cannot know the
token, the first part of every path. A site may also let its own host name point to this machine
(DNS rebinding); that name is then in the Host header, so this is checked as well.
"""

import json
import secrets
import socket
import socketserver
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from importlib.resources.abc import Traversable
from threading import Event
from typing import Any

from ..errors import CnnTrainError, UsageError

ADDRESS = "127.0.0.1"

KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
"""What files a page is made of, by their names' endings."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

SILENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Site:
    """What a server sends: the files of ``folder`` and of the shared look, and its answers.

    command: which cnn-train command it is. reads: documents by path, for GET. actions: answers to
    the JSON object that is POSTed there, of ``most_body_bytes`` at most; what raises a
    CnnTrainError is refused with its first line.
    """

    command: str
    folder: Traversable
    reads: Mapping[str, Callable[[], Any]]
    actions: Mapping[str, Callable[[Mapping[str, Any]], Any]]
    most_body_bytes: int = 10_000

    @cached_property
    def files(self) -> dict[str, Traversable]:
        """Every file that is ever sent, by its path; the page itself has none."""
        shared = files(__package__).joinpath("look")
        found = {file.name: file for place in (shared, self.folder) for file in place.iterdir()}
        return {("" if name == "page.html" else name): file for name, file in found.items()}


class _RefusedError(Exception):
    """A request that is refused with this status and reason."""


class LocalServer(ThreadingHTTPServer):
    """Serves a site until :meth:`shutdown`; raises UsageError where it cannot listen.

    Closing it waits for the answers under way, as a thread that still computes with torch while
    Python ends would abort the program. ``is_closing`` tells long work to give up.
    """

    daemon_threads = False

    def __init__(self, site: Site, port: int = 0) -> None:
        self.site = site
        self.token = secrets.token_urlsafe(24)
        self.is_closing = Event()
        self._connections: set[socket.socket] = set()
        try:
            super().__init__((ADDRESS, port), _Request)
        except (OSError, OverflowError) as problem:
            reason = getattr(problem, "strerror", None) or problem
            raise UsageError(
                f"--port {port}: cannot listen there ({reason}); choose another, or 0 for any"
            ) from None

    def server_bind(self) -> None:
        """Bind without http.server's look-up of this machine's name in the network."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, self.server_address[1]

    @property
    def url(self) -> str:
        """Where the page is; what follows a # is the experiment's settings."""
        return f"http://{ADDRESS}:{self.server_port}/{self.token}/"

    @property
    def hosts(self) -> set[str]:
        """What the Host header may say."""
        return {f"{name}:{self.server_port}" for name in (ADDRESS, "localhost")}

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a new thread, and remember the connection."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection and forget it."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Stop listening; end connections that wait for a next question, and all threads."""
        self.is_closing.set()
        for connection in list(self._connections):
            with suppress(OSError):  # it has just ended
                connection.shutdown(socket.SHUT_RD)
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a page that closed its connection during an answer."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Request(BaseHTTPRequestHandler):
    server: LocalServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "cnn-train", ""
    timeout = SILENCE_SECONDS
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Send a file of the page, or a document."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Answer a question."""
        self._answer(self._post)

    def _answer(self, reply: Callable[[str], tuple[str, bytes]]) -> None:
        try:
            self._send(HTTPStatus.OK, *reply(self._checked_path()))
        except _RefusedError as refusal:
            self.send_error(*refusal.args)
        except CnnTrainError as problem:
            document = {"error": str(problem).splitlines()[0]}
            self._send(HTTPStatus.BAD_REQUEST, *_as_json(document))

    def _checked_path(self) -> str:
        """Return the path after the token; refuse requests of other sites."""
        if self.headers.get("Host", "") not in self.server.hosts:
            raise _RefusedError(HTTPStatus.FORBIDDEN, "wrong Host")
        origin = self.headers.get("Origin")
        if origin is not None and origin.removeprefix("http://") not in self.server.hosts:
            raise _RefusedError(HTTPStatus.FORBIDDEN, "wrong Origin")
        token, slash, path = self.path.removeprefix("/").partition("/")
        if not secrets.compare_digest(token.encode(), self.server.token.encode()):
            raise _RefusedError(
                HTTPStatus.FORBIDDEN,
                "wrong token; open the address that this run of cnn-train "
                f"{self.server.site.command} printed",
            )
        if not slash:  # the page would ask for its files in the wrong place
            raise _RefusedError(HTTPStatus.PERMANENT_REDIRECT, "the address ends with a slash")
        return path

    def _get(self, path: str) -> tuple[str, bytes]:
        site = self.server.site
        if path in site.reads:
            return _as_json(site.reads[path]())
        if path not in site.files:
            raise _RefusedError(HTTPStatus.NOT_FOUND, "not found")
        file = site.files[path]
        return KINDS[file.name.rpartition(".")[2]], file.read_bytes()

    def _post(self, path: str) -> tuple[str, bytes]:
        actions = self.server.site.actions
        if path not in actions:
            raise _RefusedError(HTTPStatus.NOT_FOUND, "not found")
        return _as_json(actions[path](self._read_body()))

    def _read_body(self) -> Mapping[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit():
            raise _RefusedError(HTTPStatus.LENGTH_REQUIRED, "give the Content-Length")
        if len(length) > 9 or int(length) > self.server.site.most_body_bytes:
            raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too large")
        if self.headers.get_content_type() != "application/json":
            raise _RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send application/json")
        try:
            body = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "the body is no JSON") from None
        if not isinstance(body, dict):
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "the body is no JSON object")
        return body

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer in one line of JSON and end the connection: the request may be unread."""
        self.close_connection = True
        status = HTTPStatus(code)
        self._send(status, *_as_json({"error": message or status.phrase}))

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in (HEADERS | {"Content-Type": kind}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        if status is HTTPStatus.PERMANENT_REDIRECT:
            self.send_header("Location", f"/{self.server.token}/")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: a page asks many times a second."""


def _as_json(document: Any) -> tuple[str, bytes]:
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    return "application/json; charset=utf-8", text.encode()
