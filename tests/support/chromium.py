"""A real browser without a screen, driven through its own remote debugging pipe.

The browser reads commands from its file descriptor 3 and writes answers and events to 4: JSON
messages that end with a zero byte (https://chromedevtools.github.io/devtools-protocol/).
"""

import base64
import json
import os
import queue
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

VARIABLE = "CNN_TRAIN_CHROMIUM"
NAMES = [
    "chromium", "chromium-browser", "google-chrome", "chrome-headless-shell", "/usr/bin/chromium",
]  # fmt: skip
OPTIONS = [
    "--remote-debugging-pipe", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
    "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip
LAUNCH = 'exec "$@" 3<&0 4>&1 </dev/null >&2'  # what Popen has as stdin and stdout is the pipe
KEYS = {"Tab": 9, "Enter": 13, "End": 35, "ArrowRight": 39}
"""Keys that write nothing, with the codes that pages see."""

PATIENCE_SECONDS = 60.0


def find_browser() -> str:
    """Return the program that ``CNN_TRAIN_CHROMIUM`` names, or one on the path; else skip."""
    named = os.environ.get(VARIABLE)
    candidates = [named] if named else NAMES
    program = next(filter(None, map(shutil.which, candidates)), None)
    if program is None:
        pytest.skip(f"needs a browser: found no {' or '.join(candidates)}; {VARIABLE} can name one")
    return program


class Browser:
    """One window; close it with :meth:`quit`."""

    def __init__(self, program: str, folder: Path, width: int = 1280, height: int = 800) -> None:
        """``folder`` is new and empty: the browser's profile and its log."""
        self._log = (folder / "browser.log").open("w")
        self._process = subprocess.Popen(
            ["sh", "-c", LAUNCH, "sh", program, *OPTIONS, f"--user-data-dir={folder / 'profile'}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        self._messages: queue.Queue[Any] = queue.Queue()
        self._events: list[dict[str, Any]] = []
        self._last_id = 0
        self._session: dict[str, str] = {}
        self._reader = Thread(target=self._read_messages)
        self._reader.start()
        try:
            target = self.devtools("Target.createTarget", url="about:blank")
            session = self.devtools("Target.attachToTarget", **target, flatten=True)
            self._session = {"sessionId": session["sessionId"]}
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.devtools(f"{domain}.enable")
            self.resize(width, height)
        except BaseException:
            self.quit()
            raise

    def _read_messages(self) -> None:
        assert self._process.stdout is not None
        rest = b""
        while chunk := os.read(self._process.stdout.fileno(), 1 << 20):
            *messages, rest = (rest + chunk).split(b"\0")
            for message in messages:
                self._messages.put(json.loads(message))
        self._messages.put({"error": {"message": f"the browser ended; see {self._log.name}"}})

    def quit(self) -> None:
        """End the browser, which it does when its pipe closes."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(BrokenPipeError):  # it has ended already
            self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._reader.join()
        self._process.stdout.close()
        self._process.wait()
        self._log.close()

    def devtools(self, command: str, **parameters: Any) -> Any:
        """Give the browser one of its own commands; return its answer."""
        assert self._process.stdin is not None
        self._last_id += 1
        asked = {"id": self._last_id, "method": command, "params": parameters, **self._session}
        with suppress(BrokenPipeError):  # then the answer is that it ended
            self._process.stdin.write(json.dumps(asked).encode() + b"\0")
            self._process.stdin.flush()
        answer = self._next_message(lambda message: message.get("id") == asked["id"])
        assert "error" not in answer, f"{command}: {answer['error']['message']}"
        return answer["result"]

    def _next_message(self, is_wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for a message; keep those that come before it."""
        while True:
            message: dict[str, Any] = self._messages.get(timeout=PATIENCE_SECONDS)
            if is_wanted(message):
                return message
            if message.get("id") is None and "error" in message:  # it ended, and stays so
                self._messages.put(message)
                return message
            self._events.append(message)

    def _take_events(self, *methods: str) -> list[dict[str, Any]]:
        """Return the events of these kinds since the last call, and forget them."""
        self.run("")  # what the page did before is told before its answer
        taken = [event for event in self._events if event.get("method") in methods]
        self._events = [event for event in self._events if event not in taken]
        return [event["params"] | {"method": event["method"]} for event in taken]

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
        """Open an address and wait until its files are there."""
        answer = self.devtools("Page.navigate", url=url)
        assert "errorText" not in answer, f"{url}: {answer['errorText']}"
        if "loaderId" in answer:  # else only the part after the # is another
            self._wait_until_loaded()

    def reload(self) -> None:
        self.devtools("Page.reload")
        self._wait_until_loaded()

    def _wait_until_loaded(self) -> None:
        def is_loaded(message: dict[str, Any]) -> bool:
            return message.get("method") == "Page.loadEventFired"

        loaded = [event for event in self._events if is_loaded(event)]
        if loaded:
            self._events.remove(loaded[0])
        else:
            assert is_loaded(self._next_message(is_loaded)), "the browser ended"

    @property
    def url(self) -> str:
        return str(self.run("return location.href"))

    def run(self, script: str, *arguments: Any) -> Any:
        """Run ``script``, the body of a function, in the page; return what it returns."""
        answer = self.devtools(
            "Runtime.evaluate",
            expression=f"(function () {{{script}\n}})(...{json.dumps(arguments)})",
            awaitPromise=True,
            returnByValue=True,
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0]).textContent", selector))

    def click(self, selector: str) -> None:
        """Click as a user does: the element has to be in sight and not covered."""
        x, y, hit = self.run(FIND_MIDDLE, selector)
        assert hit is True, f"{selector} is covered by {hit}"
        self.devtools("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased"):
            self.devtools(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1
            )

    def press(self, *keys: str) -> None:
        """Press keys, each of ``KEYS`` or a text to type, on whatever has the focus."""
        for key in keys:
            for letter in [key] if key in KEYS else key:
                code = KEYS.get(letter, 0)
                written = {"Enter": "\r"}.get(letter, "" if code else letter)
                pressed = {"key": letter, "code": letter, "windowsVirtualKeyCode": code}
                self.devtools("Input.dispatchKeyEvent", type="keyDown", text=written, **pressed)
                self.devtools("Input.dispatchKeyEvent", type="keyUp", **pressed)

    def console(self) -> list[str]:
        """Return the errors, warnings and exceptions of the page since the last call."""
        found = []
        for event in self._take_events(
            "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"
        ):
            if event["method"] == "Runtime.exceptionThrown":
                details = event["exceptionDetails"]
                found.append(details.get("exception", {}).get("description", details["text"]))
            elif event["method"] == "Log.entryAdded":
                if event["entry"]["level"] in ("warning", "error"):
                    found.append(f"{event['entry']['text']} {event['entry'].get('url', '')}")
            elif event["type"] in ("warning", "error", "assert"):
                found.append(" ".join(str(part.get("value", part)) for part in event["args"]))
        return found

    def requests(self) -> list[str]:
        """Return the web addresses that were asked for since the last call."""
        urls = [
            str(event["request"]["url"]) for event in self._take_events("Network.requestWillBeSent")
        ]
        return [url for url in urls if re.match("https?://|wss?://", url)]

    def screenshot(self, path: Path) -> None:
        """Write what the window shows as a PNG file."""
        path.write_bytes(base64.b64decode(self.devtools("Page.captureScreenshot")["data"]))


FIND_MIDDLE = """
const element = document.querySelector(arguments[0]);
element.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
const {left, top, width, height} = element.getBoundingClientRect();
const [x, y] = [left + width / 2, top + height / 2];
const hit = document.elementFromPoint(x, y);
return [x, y, element.contains(hit) || (hit ? hit.outerHTML.slice(0, 200) : 'nothing')];
"""


def wait_for(condition: Callable[[], Any]) -> Any:
    """Return the first answer that is true, asking again and again; fail after a while."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)
    return answer
