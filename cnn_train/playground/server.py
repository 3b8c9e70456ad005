"""A small web server for pages on this machine: 127.0.0.1 only, and only with the token.

Any web site that the user visits can send requests to this machine too, but it cannot know the
token, the first part of every path. A site may also let its own host name point to this machine
(DNS rebinding); that name is then in the Host header, so this is checked as well.
"""

import json
import secrets
import socketserver
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

from ..errors import CnnTrainError, UsageError
from .open_pages import OpenPages
from .view import view_of_page

ADDRESS = "127.0.0.1"

ASSETS = {
    "": ("page.html", "text/html; charset=utf-8"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    **{
        name: (name, "text/javascript; charset=utf-8")
        for name in (
            "page.js", "controls.js", "server.js", "colours.js",
            "network.js", "surface.js", "curves.js", "formula.js",
        )
    },
}  # fmt: skip
"""Every file that is ever sent, by its path; no other path is answered."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

MOST_BODY_BYTES = 10_000
SILENCE_SECONDS = 60.0


class _RefusedError(Exception):
    """A request that is refused with this status and reason."""


class PlaygroundServer(ThreadingHTTPServer):
    """Serves the page and its experiments until :meth:`shutdown`; raises UsageError."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        self.token = secrets.token_urlsafe(24)
        self.pages = OpenPages()
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

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a page that closed its connection during an answer."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Request(BaseHTTPRequestHandler):
    server: PlaygroundServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "cnn-train", ""
    timeout = SILENCE_SECONDS
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Send one of the assets, or what the page can choose from."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Start an experiment, or move it on."""
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
                "wrong token; open the address that this run of cnn-train playground printed",
            )
        if not slash:  # the page would ask for its files in the wrong place
            raise _RefusedError(HTTPStatus.PERMANENT_REDIRECT, "the address ends with a slash")
        return path

    def _get(self, path: str) -> tuple[str, bytes]:
        if path == "api/page":
            return _as_json(view_of_page())
        if path not in ASSETS:
            raise _RefusedError(HTTPStatus.NOT_FOUND, "not found")
        name, kind = ASSETS[path]
        return kind, read_asset(name)

    def _post(self, path: str) -> tuple[str, bytes]:
        pages = self.server.pages
        actions = {"api/start": pages.start, "api/advance": pages.advance}
        if path not in actions:
            raise _RefusedError(HTTPStatus.NOT_FOUND, "not found")
        return _as_json(actions[path](self._read_body()))

    def _read_body(self) -> Mapping[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit():
            raise _RefusedError(HTTPStatus.LENGTH_REQUIRED, "give the Content-Length")
        if len(length) > 9 or int(length) > MOST_BODY_BYTES:
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


def read_asset(name: str) -> bytes:
    """Read a file of the page, which ships with the package."""
    return files(__package__).joinpath("page", name).read_bytes()


def _as_json(document: Any) -> tuple[str, bytes]:
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    return "application/json; charset=utf-8", text.encode()
