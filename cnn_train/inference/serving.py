"""Answer over HTTP what ``predict`` would say: an image is posted, its classes come back as JSON.

An event loop reads the requests; a thread of its own decodes and scores, one image at a time.
"""

import asyncio
import json
import logging
import socket
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import PureWindowsPath
from time import monotonic
from typing import Any

import python_multipart  # noqa: F401  (Starlette misses it only when the first form arrives)
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message

from ..data.images.files import SUFFIXES
from ..errors import CnnTrainError, UsageError, in_one_line
from .predict import predict_files
from .received_file import received_file
from .trained_model import TrainedModel

CONTENT_TYPES = {f"image/{name.lower()}": suffixes[0] for name, suffixes in SUFFIXES.items()}
"""What a body without a form may be, and how a file of it is named."""

READ_SECONDS = 30
SHUTDOWN_SECONDS = 5


@dataclass(frozen=True)
class Limits:
    """What is answered: bodies of so many megabytes, so many requests at once and per second."""

    body_mb: int = 10
    at_once: int = 8
    per_second: int = 20


class PredictionService:
    """A model that answers requests, within limits. Raises DataError where it takes no files."""

    def __init__(self, trained: TrainedModel, limits: Limits, top_k: int) -> None:
        trained.reading()
        self.trained, self.limits, self.top_k = trained, limits, top_k
        self._scoring = ThreadPoolExecutor(1)
        self._num_active = 0
        self._begun: deque[float] = deque()

    def app(self) -> Starlette:
        """Return the application that a server runs."""
        routes = [
            Route("/", self.describe),
            Route("/health", self.tell_health),
            Route("/predict", self.predict, methods=["POST"]),
        ]
        return Starlette(routes=routes, exception_handlers=HANDLERS)

    async def describe(self, request: Request) -> Response:
        """Say what model this is, and how to ask it."""
        where = f"{request.base_url}predict"
        return as_json({
            "model": self.trained.config.model.name,
            "classes": self.trained.class_names,
            "image_size_px": self.trained.image_shape[1],
            "limits": asdict(self.limits),
            "content_types": ["multipart/form-data", *CONTENT_TYPES],
            "examples": [
                f"curl -F image=@cat.jpg {where}",
                f"curl -H 'Content-Type: image/jpeg' --data-binary @cat.jpg {where}",
            ],
        })  # fmt: skip

    async def tell_health(self, request: Request) -> Response:
        """Answer as long as requests are read."""
        return as_json({"status": "ok"})

    async def predict(self, request: Request) -> Response:
        """Answer with the entry that ``predict --json`` has for this image alone."""
        with self._admitted():
            try:
                async with asyncio.timeout(READ_SECONDS):
                    name, content = await read_image(request, self.limits.body_mb)
            except TimeoutError:
                raise HTTPException(408, f"no image within {READ_SECONDS} seconds") from None
            loop = asyncio.get_running_loop()
            return as_json(await loop.run_in_executor(self._scoring, self._score, name, content))

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        """Count the request while the block runs; refuse it where there are too many."""
        now, again = monotonic(), {"Retry-After": "1"}
        while self._begun and now - self._begun[0] >= 1:
            self._begun.popleft()
        if len(self._begun) >= self.limits.per_second:
            raise HTTPException(429, f"more than {self.limits.per_second} images a second", again)
        if self._num_active >= self.limits.at_once:
            raise HTTPException(503, f"{self.limits.at_once} images are under way", again)
        self._begun.append(now)
        self._num_active += 1
        try:
            yield
        finally:
            self._num_active -= 1

    def _score(self, name: str, content: bytes) -> dict[str, Any]:
        """Predict as of a file of this name; the answer has the name that the client gave."""
        with received_file(name, content) as path:
            predictions, errors = predict_files(self.trained, [path], top_k=self.top_k)
        if errors:
            raise HTTPException(400, errors[0].message.removeprefix(in_one_line(f"{path}: ")))
        return predictions[0].to_json() | {"path": name}


async def read_image(request: Request, most_mb: int) -> tuple[str, bytes]:
    """Return the name and the bytes of the image: the body, or the one file of a form.

    Raises HTTPException where there is no such image, and as soon as the body is too large.
    """
    too_large = HTTPException(413, f"more than {most_mb} MB; make the image smaller")
    if int(request.headers.get("Content-Length", 0)) > most_mb * 1_000_000:
        raise too_large
    num_bytes = 0

    async def receive() -> Message:
        nonlocal num_bytes
        message = await request.receive()
        num_bytes += len(message.get("body", b""))
        if num_bytes > most_mb * 1_000_000:
            raise too_large
        return message

    metered = Request(request.scope, receive)
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        async with metered.form(max_files=1, max_fields=10) as form:
            files = [value for value in form.values() if isinstance(value, UploadFile)]
            if not files:
                raise HTTPException(400, "the form has no file; send one image in it")
            return PureWindowsPath(files[0].filename or "image").name, await files[0].read()
    if kind not in CONTENT_TYPES:
        known = ", ".join(CONTENT_TYPES)
        raise HTTPException(415, f"Content-Type: send {known} or a form (multipart/form-data)")
    return f"image{CONTENT_TYPES[kind]}", await metered.body()


def as_json(
    document: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Make a response of the text that a command with ``--json`` prints."""
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    return Response(text, status, headers, media_type="application/json")


async def refuse(request: Request, problem: Exception) -> Response:
    """Say in one line what is wrong; of our bug, nothing (the server prints its traceback)."""
    if isinstance(problem, HTTPException):
        headers = dict(problem.headers or {})
        return as_json({"error": in_one_line(problem.detail)}, problem.status_code, headers)
    if isinstance(problem, CnnTrainError):
        return as_json({"error": in_one_line(problem)}, 503)
    return as_json({"error": "a bug of the server's; its own output says more"}, 500)


HANDLERS = dict.fromkeys((HTTPException, ClientDisconnect, CnnTrainError, Exception), refuse)


def listen(host: str, port: int) -> socket.socket:
    """Open the socket of a server; port 0: any free one. Raises UsageError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError, UnicodeError) as problem:
        reason = str(getattr(problem, "strerror", None) or problem).partition(" (while")[0]
        raise UsageError(
            f"--host {host} --port {port}: cannot listen there ({reason}); choose others, or "
            "--port 0 for any free one"
        ) from None


def run_server(app: Starlette, listener: socket.socket) -> None:
    """Answer until Ctrl-C or SIGTERM, which is raised again once the last answers are sent."""
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # else a client fills stderr
    settings: dict[str, Any] = {"log_config": None, "log_level": "error", "access_log": False}
    settings |= {"http": "h11", "ws": "none", "loop": "asyncio", "lifespan": "off"}
    settings |= {"server_header": False, "timeout_graceful_shutdown": SHUTDOWN_SECONDS}
    uvicorn.Server(uvicorn.Config(app, **settings)).run([listener])
