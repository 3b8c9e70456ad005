"""A server of pages, and a browser to look at them."""

from collections.abc import Iterator
from threading import Thread

import pytest
from chromium import CHROMEDRIVER, CHROMIUM, Browser

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


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser with a new, empty profile; skips where there is none."""
    missing = [str(path) for path in (CHROMIUM, CHROMEDRIVER) if not path.exists()]
    if missing:
        pytest.skip(f"needs a real browser: there is no {' and no '.join(missing)}")
    window = Browser(tmp_path_factory.mktemp("browser"))
    yield window
    window.quit()
