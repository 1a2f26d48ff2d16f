"""Drives a headless Chromium over its debugging pipe, with nothing but the standard library."""

import base64
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.clock import NS_PER_S, now_ns

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)

START = """
import fcntl, os, sys
# Out of the way first: the pipes may stand on 3 and 4 already, the other way round.
ends = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 10) for each in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Starts the browser, which reads commands from descriptor 3 and answers on 4."""

Message = dict[str, Any]


class ChromeError(RuntimeError):
    """The browser answered with an error, or not at all."""


class Tab:
    """One page of the browser, with everything that it reported."""

    def __init__(self, write: int, read: int) -> None:
        self._write = write
        self._read = read
        self._buffer = b""
        self._id = 0
        self._session = ""
        self.events: list[Message] = []

    def attach(self) -> None:
        """Open a page and listen to its console, its network and its faults."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def _messages(self, timeout_s: float) -> Iterator[Message]:
        deadline_ns = now_ns() + int(timeout_s * NS_PER_S)
        while True:
            while b"\0" in self._buffer:
                line, _, self._buffer = self._buffer.partition(b"\0")
                yield json.loads(line)
            left_s = (deadline_ns - now_ns()) / NS_PER_S
            if left_s <= 0 or not select.select([self._read], [], [], left_s)[0]:
                raise ChromeError(f"no answer from the browser within {timeout_s} s")
            data = os.read(self._read, 1 << 20)
            if not data:
                raise ChromeError("the browser is gone")
            self._buffer += data

    def _wait(self, wanted: Callable[[Message], bool], timeout_s: float = 120.0) -> Message:
        for message in self._messages(timeout_s):
            if "method" in message:
                self.events.append(message)
            if wanted(message):
                return message
        raise AssertionError

    def call(self, method: str, **params: Any) -> Message:
        """One command; returns its result."""
        self._id += 1
        number = self._id
        body: Message = {"id": number, "method": method, "params": params}
        if self._session:
            body["sessionId"] = self._session
        os.write(self._write, json.dumps(body).encode() + b"\0")
        answer = self._wait(lambda message: message.get("id") == number)
        if "error" in answer:
            raise ChromeError(f"{method}: {answer['error']}")
        return answer["result"]

    def open(self, url: str) -> None:
        """Load a page whole; what was reported before is forgotten."""
        self.call("Page.navigate", url="about:blank")
        self.events.clear()
        self.call("Page.navigate", url=url)
        self._wait(lambda message: message.get("method") == "Page.loadEventFired")

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression, promises awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise ChromeError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def view(self, width: int, height: int = 900, *, dark: bool = False) -> None:
        """Size of the window, and whether its user prefers dark pages."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def scripts(self, *, on: bool) -> None:
        """Switch scripts on or off for pages opened from now on."""
        self.call("Emulation.setScriptExecutionDisabled", value=not on)

    def screenshot(self, path: Path) -> None:
        """The whole page as PNG."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def complaints(self) -> list[str]:
        """Console errors, uncaught exceptions and entries of the log since the page was opened."""
        problems = []
        for event in self.events:
            params = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                problems.append(json.dumps(params["exceptionDetails"])[:300])
            elif event["method"] == "Log.entryAdded":
                problems.append(f"{params['entry']['level']}: {params['entry']['text']}")
            elif event["method"] == "Runtime.consoleAPICalled" and params["type"] == "error":
                problems.append(json.dumps(params["args"])[:300])
        return problems

    def requests(self) -> list[str]:
        """Addresses that the page asked for since it was opened."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event["method"] == "Network.requestWillBeSent"
        ]


@contextmanager
def chrome(program: str) -> Iterator[Tab]:
    """A browser with one page; it is gone, with its profile, when the block ends."""
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        descriptors = (str(to_read), str(from_write))
        command = [sys.executable, "-c", START, *descriptors, program, *FLAGS]
        child = subprocess.Popen(
            [*command, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_read, from_write),
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(from_write)
        try:
            tab = Tab(to_write, from_read)
            tab.attach()
            yield tab
        finally:
            os.close(to_write)
            os.close(from_read)
            child.terminate()
            try:
                child.wait(timeout=20)
            except subprocess.TimeoutExpired:  # the pages were seen; how it ends is no matter
                child.kill()
                child.wait()
