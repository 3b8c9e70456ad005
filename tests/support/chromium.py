"""A real browser without a screen, driven by the WebDriver protocol."""

import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHROMIUM, CHROMEDRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key that the protocol gives to elements
OPTIONS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
]  # fmt: skip
PATIENCE_SECONDS = 60.0


class Browser:
    """One window; close it with :meth:`quit`."""

    def __init__(self, folder: Path, width: int = 1280, height: int = 800) -> None:
        """``folder`` is new and empty: the browser's profile."""
        self._log = (folder / "chromedriver.log").open("w+")
        self._driver = subprocess.Popen(
            [CHROMEDRIVER, "--port=0"], stdout=self._log, stderr=subprocess.STDOUT
        )
        try:
            self._root = f"http://127.0.0.1:{self._read_port(folder)}"
            options = [*OPTIONS, f"--user-data-dir={folder / 'profile'}"]
            capabilities = {
                "goog:chromeOptions": {"binary": str(CHROMIUM), "args": options},
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            }
            session = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
            self._root += f"/session/{session['sessionId']}"
            self.resize(width, height)
        except BaseException:
            self._end_driver()
            raise

    def _read_port(self, folder: Path) -> int:
        def port() -> int | None:
            text = (folder / "chromedriver.log").read_text()
            found = re.search(r"started successfully on port (\d+)", text)
            return int(found.group(1)) if found else None

        return int(wait_for(port))

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._root + path, content, method=method)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def quit(self) -> None:
        try:
            self._ask("DELETE", "")
        finally:
            self._end_driver()

    def _end_driver(self) -> None:
        self._driver.terminate()
        self._driver.wait(60)
        self._log.close()

    def devtools(self, command: str, **parameters: Any) -> Any:
        """Give the browser one of its own commands."""
        return self._ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def resize(self, width: int, height: int) -> None:
        """Set the size of the page itself, in CSS pixels."""
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def prefer(self, scheme: str) -> None:
        """Say ``light`` or ``dark`` to the page."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.devtools("Emulation.setEmulatedMedia", features=features)

    def open(self, url: str) -> None:
        self._ask("POST", "/url", {"url": url})

    def reload(self) -> None:
        self._ask("POST", "/refresh", {})

    @property
    def url(self) -> str:
        return str(self._ask("GET", "/url"))

    def run(self, script: str, *arguments: Any) -> Any:
        """Run ``script``, the body of a function, in the page; return what it returns."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0]).textContent", selector))

    def _element(self, selector: str) -> str:
        found = self._ask("POST", "/element", {"using": "css selector", "value": selector})
        return str(found[ELEMENT])

    def click(self, selector: str) -> None:
        """Click as a user does: the element has to be in sight and not covered."""
        self._ask("POST", f"/element/{self._element(selector)}/click", {})

    def press(self, keys: str) -> None:
        """Type on whatever has the focus."""
        focused = self._ask("GET", "/element/active")[ELEMENT]
        self._ask("POST", f"/element/{focused}/value", {"text": keys})

    def console(self) -> list[str]:
        """Return what the page complained about since the last call."""
        entries = self._ask("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries]

    def requests(self) -> list[str]:
        """Return the web addresses that were asked for since the last call."""
        entries = self._ask("POST", "/se/log", {"type": "performance"})
        messages = (json.loads(entry["message"])["message"] for entry in entries)
        urls = [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in urls if re.match("https?://|wss?://", url)]


def wait_for(condition: Callable[[], Any]) -> Any:
    """Return the first answer that is true, asking again and again; fail after a while."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)
    return answer
