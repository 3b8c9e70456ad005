"""A network's page and its answers, over HTTP."""

import json
import urllib.request
from collections.abc import Iterator
from threading import Thread
from typing import Any
from urllib.error import HTTPError

import pytest
from thin_networks import build_used

from cnn_train.data.image_set import ImageSet
from cnn_train.explore.question import pack_pixels
from cnn_train.explore.server import ExploreServer


@pytest.fixture
def server(explore: Any) -> Iterator[ExploreServer]:
    with ExploreServer(explore(build_used("lenet"))) as running:
        thread = Thread(target=lambda: running.serve_forever(poll_interval=0.02))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def post(server: ExploreServer, path: str, question: Any) -> Any:
    request = urllib.request.Request(f"{server.url}{path}", json.dumps(question).encode())
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_the_page_is_sent_and_asks_for_what_it_shows(
    server: ExploreServer, images: ImageSet
) -> None:
    with urllib.request.urlopen(server.url, timeout=60) as answer:
        assert b"<title>" in answer.read()
    with urllib.request.urlopen(f"{server.url}api/page", timeout=60) as answer:
        page = json.load(answer)
    (first,) = post(server, "api/images", {"count": 1})["images"]
    assert first["pixels"] == pack_pixels(images.images_NCHW[0])
    asked = {"pixels": first["pixels"], "layers": list(range(len(page["layers"])))}
    look = post(server, "api/look", asked)
    assert [maps["layer"] for maps in look["maps"]] == asked["layers"]
    assert len(look["scores"]) == len(page["classes"])


def test_questions_at_the_same_time_are_answered_one_by_one(
    server: ExploreServer, images: ImageSet
) -> None:
    pixels = [pack_pixels(image) for image in images.images_NCHW[:4]]
    expected = [post(server, "api/look", {"pixels": each})["scores"] for each in pixels]
    found: dict[int, Any] = {}

    def ask(index: int) -> None:
        found[index] = post(server, "api/look", {"pixels": pixels[index], "layers": [0, 3]})

    threads = [Thread(target=ask, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[index]["scores"] for index in range(4)] == expected


def test_a_bad_question_is_one_line_and_status_400(server: ExploreServer) -> None:
    with pytest.raises(HTTPError) as refusal:
        post(server, "api/look", {"pixels": "AAAA"})
    assert refusal.value.code == 400
    reason = json.load(refusal.value)["error"]
    assert reason.startswith("pixels: expected 32×32 pixels of 3 bytes")


def test_a_photograph_of_20_megabytes_is_not_too_large_a_question(server: ExploreServer) -> None:
    with pytest.raises(HTTPError) as refusal:
        post(server, "api/file", {"name": "a.jpg", "content": "AAAA" * 6_700_000})
    assert refusal.value.code == 400
    assert json.load(refusal.value)["error"].startswith("a.jpg: ")
