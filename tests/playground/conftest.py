"""A server of pages."""

from collections.abc import Iterator
from threading import Thread

import pytest

from cnn_train.playground.server import PlaygroundServer


@pytest.fixture(scope="module")
def server() -> Iterator[PlaygroundServer]:
    """A server of pages that runs in a thread of its own."""
    with PlaygroundServer() as running:
        thread = Thread(target=lambda: running.serve_forever(poll_interval=0.02))
        thread.start()
        yield running
        running.shutdown()
        thread.join()
