import asyncio
import errno
import io
import json
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("python_multipart")
pytest.importorskip("httpx")

import httpx
from starlette.applications import Starlette

from cnn_train.data.normalization import Normalization
from cnn_train.errors import DataError, ResourceError, UsageError
from cnn_train.experiment import ExperimentConfig
from cnn_train.inference import received_file, serving
from cnn_train.inference.predict import predict_files
from cnn_train.inference.serving import Limits, PredictionService, listen
from cnn_train.inference.trained_model import TrainedModel
from cnn_train.machine.device import Device, Precision

PNG = {"Content-Type": "image/png"}
Ask = Callable[..., httpx.Response]


class Brightness(nn.Module):
    """Scores of three classes: the mean red, green and blue of the image."""

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return images_BCHW.float().mean(dim=(2, 3))


class Waiting(Brightness):
    """Scores only when it is told to, and says when it begins."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.may_end = threading.Event(), threading.Event()

    def forward(self, images_BCHW: Tensor) -> Tensor:
        self.begun.set()
        assert self.may_end.wait(60)
        return super().forward(images_BCHW)


class Failing(nn.Module):
    def __init__(self, problem: Exception) -> None:
        super().__init__()
        self.problem = problem

    def forward(self, images_BCHW: Tensor) -> Tensor:
        raise self.problem


def make_trained(
    model: nn.Module | None = None, shape: tuple[int, int, int] = (3, 16, 16)
) -> TrainedModel:
    return TrainedModel(
        (model or Brightness()).eval(),
        ("red", "green", "blue"),
        shape,
        Normalization((0.0,) * shape[0], (1.0,) * shape[0]),
        ExperimentConfig.model_validate({"data": {"name": "shapes", "image_size": 16}}),
        Device(torch.device("cpu"), "as requested"),
        Precision(torch.float32, "as configured"),
        {},
        epoch=1,
        val_accuracy=None,
    )


def make_app(model: nn.Module | None = None, **limits: int) -> Starlette:
    return PredictionService(make_trained(model), Limits(**limits), top_k=5).app()


def client_of(app: Starlette) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000")


def ask(
    app: Starlette, path: str = "/predict", method: str = "POST", **sent: Any
) -> httpx.Response:
    async def once() -> httpx.Response:
        async with client_of(app) as client:
            return await client.request(method, path, **sent)

    return asyncio.run(once())


def picture(format_name: str = "PNG", size: tuple[int, int] = (40, 24)) -> bytes:
    content = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(content, format_name)
    return content.getvalue()


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif"])
def test_the_answer_is_the_entry_of_predict_to_the_last_byte(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"star.{suffix}"
    path.write_bytes(picture({"jpg": "JPEG"}.get(suffix, suffix)))
    (expected,), _ = predict_files(make_trained(), [path])
    document = expected.to_json() | {"path": path.name}
    answer = ask(make_app(), files={"image": (path.name, path.read_bytes())})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.text == json.dumps(document, indent=2) + "\n"
    kind = {"Content-Type": f"image/{suffix.replace('jpg', 'jpeg')}"}
    bare = ask(make_app(), content=path.read_bytes(), headers=kind).json()
    assert bare == document | {"path": f"image.{suffix}"}


@pytest.mark.parametrize(
    ("sent", "status", "message"),
    [
        ({"content": b"no image", "headers": PNG}, 400, "is a text file"),
        ({"content": b"", "headers": PNG}, 400, "the file is empty; replace it"),
        ({"content": picture()[:90], "headers": PNG}, 400, "damaged or truncated PNG file"),
        ({"content": picture()}, 415, "send image/jpeg, image/png"),
        ({"content": b"{}", "headers": {"Content-Type": "application/json"}}, 415, "or a form"),
        ({"data": {"image": "a word"}}, 415, "multipart/form-data"),
        ({"files": {"image": (None, b"a word")}}, 400, "the form has no file"),
        ({"files": {"a": ("a.png", b""), "b": ("b.png", b"")}}, 400, "Too many files"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "boundary"),
        ({"method": "GET"}, 405, "Method Not Allowed"),
        ({"path": "/nowhere"}, 404, "Not Found"),
    ],
)
def test_what_is_no_image_is_refused_in_one_line(
    sent: dict[str, Any], status: int, message: str
) -> None:
    answer = ask(make_app(), **sent)
    error = answer.json()["error"]
    assert (answer.status_code, message in error, "\n" in error) == (status, True, False), error
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd.png",
        "/etc/passwd",
        "C:\\pictures\\a.png",
        "a/b\n.png",
        "a.%s",
        ".",
        f"a.{300 * 'x'}",
    ],
)
def test_a_files_name_leads_nowhere_and_no_folder_is_named(name: str) -> None:
    answer = ask(make_app(), files={"image": (name, picture())})
    assert answer.status_code == 200
    assert not re.search(r"[/\\](etc|pictures|b)", answer.json()["path"])
    refused = ask(make_app(), files={"image": (name, b"no image")})
    assert refused.status_code == 400
    for text in (answer.text, refused.text):
        assert tempfile.gettempdir() not in text


def test_a_large_body_is_refused_with_its_limit() -> None:
    declared = ask(make_app(body_mb=1), content=bytes(1_000_001), headers=PNG)
    assert declared.status_code == 413
    assert declared.json() == {"error": "more than 1 MB; make the image smaller"}
    assert ask(make_app(body_mb=1), files={"image": ("a.png", bytes(1_100_000))}).status_code == 413
    assert ask(make_app(body_mb=1), content=bytes(1_000_000), headers=PNG).status_code == 400


def test_no_more_is_taken_from_a_body_than_the_limit() -> None:
    taken = 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 100_000
        return {"type": "http.request", "body": bytes(100_000), "more_body": True}

    async def send(message: Any) -> None:
        answers.append(message)

    answers: list[Any] = []
    scope = {"type": "http", "method": "POST", "path": "/predict", "query_string": b"",
             "headers": [(b"content-type", b"image/png")]}  # fmt: skip
    asyncio.run(make_app(body_mb=1)(scope, receive, send))
    assert answers[0]["status"] == 413
    assert taken == 1_100_000


def test_more_requests_at_once_than_allowed_are_told_to_come_again() -> None:
    model = Waiting()
    app = make_app(model, at_once=1)

    async def crowd() -> list[httpx.Response]:
        async with client_of(app) as client:
            first = asyncio.create_task(client.post("/predict", content=picture(), headers=PNG))
            await asyncio.to_thread(model.begun.wait, 60)
            second = await client.post("/predict", content=picture(), headers=PNG)
            health = await client.get("/health")  # the loop goes on while an image is scored
            model.may_end.set()
            third = await first
            return [second, health, third, await client.post("/predict", content=b"", headers=PNG)]

    busy, health, done, after = asyncio.run(crowd())
    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "1")
    assert health.json() == {"status": "ok"}
    assert (done.status_code, after.status_code) == (200, 400)


def test_more_requests_per_second_than_allowed_are_told_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = iter([0.0, 0.9, 0.95, 1.0, 1.1])
    monkeypatch.setattr(serving, "monotonic", lambda: next(seconds))
    app = make_app(per_second=2)
    answers = [ask(app, content=picture(), headers=PNG) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 200, 429]
    assert answers[2].headers["Retry-After"] == "1"


def test_a_body_that_never_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never() -> Any:
        await asyncio.sleep(60)
        yield b""

    monkeypatch.setattr(serving, "READ_SECONDS", 0.01)
    assert ask(make_app(), content=never(), headers=PNG).status_code == 408


def test_our_bug_is_told_without_its_details_and_a_shortage_in_words() -> None:
    bug = ask(make_app(Failing(RuntimeError("secret"))), content=picture(), headers=PNG)
    assert bug.status_code == 500
    assert bug.json() == {"error": "a bug of the server's; its own output says more"}
    shortage = Failing(ResourceError("out of memory"))
    lacking = ask(make_app(shortage), content=picture(), headers=PNG)
    assert (lacking.status_code, lacking.json()) == (503, {"error": "out of memory"})


def test_a_full_disk_is_told_in_words_without_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/secret")

    monkeypatch.setattr(received_file, "TemporaryDirectory", fail)
    full = ask(make_app(), content=picture(), headers=PNG)
    message = "the server cannot keep the image: No space left on device"
    assert (full.status_code, full.json()) == (503, {"error": message})


def test_the_address_itself_says_what_can_be_asked() -> None:
    document = ask(make_app(at_once=3), "/", "GET").json()
    assert document["classes"] == ["red", "green", "blue"]
    assert document["limits"] == {"body_mb": 10, "at_once": 3, "per_second": 20}
    assert "curl -F image=@cat.jpg http://127.0.0.1:8000/predict" in document["examples"]


def test_a_model_that_takes_no_files_is_refused_before_it_is_served() -> None:
    with pytest.raises(DataError, match="square RGB images"):
        PredictionService(make_trained(shape=(1, 28, 28)), Limits(), top_k=5)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with listen("127.0.0.1", 0) as listener:
        yield listener.getsockname()[1]


def test_a_port_that_is_taken_is_a_usage_error(taken_port: int) -> None:
    with pytest.raises(UsageError, match=rf"--port {taken_port}: cannot listen there \(Address"):
        listen("127.0.0.1", taken_port)
