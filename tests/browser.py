"""A headless Chromium, driven through pipes by the Chrome DevTools Protocol, without a library.

A page of this project is tested in what people open it with. Nothing listens on a port: the browser
reads commands from descriptor 3 and answers on descriptor 4.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find_browser() -> str | None:
    """Return the program that ``ECON_BROWSER`` names, else the first known one on the path."""
    named = os.environ.get("ECON_BROWSER")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


class Tab:
    """One page in a browser.

    Attributes:
        complaints: messages of the console at level warning or above, and uncaught exceptions.
        requests: addresses that the page asked for.
    """

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._buffer = b""
        self._last = 0
        self._session: str | None = None
        self.complaints: list[str] = []
        self.requests: list[str] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def size(self, width: int, height: int, *, dark: bool = False) -> None:
        """Set the size of the window in pixels, and the scheme."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, page: Path | str, place: str = "") -> None:
        """Open a file or an address at a place such as ``#game-3`` and wait until it is loaded."""
        there = page if isinstance(page, str) else page.as_uri()
        # An address that differs in its fragment only would not be loaded anew.
        for address in ("about:blank", f"{there}{place}"):
            self._call("Page.navigate", url=address)
            while self.run("document.readyState") != "complete":
                pass

    def run(self, script: str) -> Any:
        """Evaluate a script after the events that wait, and return its plain result."""
        waiting = f"new Promise(go => setTimeout(() => go((() => {script})()), 0))"
        if not script.lstrip().startswith("{"):
            waiting = f"new Promise(go => setTimeout(() => go({script}), 0))"
        found = self._call(
            "Runtime.evaluate", expression=waiting, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def picture(self, path: Path) -> None:
        """Write what the window shows as a PNG."""
        shot = self._call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._last:
                assert "error" not in answer, answer["error"]
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            piece = os.read(self._answers, 1 << 16)
            assert piece, "the browser ended"
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def _note(self, event: dict[str, Any]) -> None:
        said = event.get("params", {})
        match event.get("method"):
            case "Runtime.consoleAPICalled" if said["type"] in ("error", "warning", "assert"):
                self.complaints.append(str(said["args"]))
            case "Runtime.exceptionThrown":
                self.complaints.append(str(said["exceptionDetails"]))
            case "Log.entryAdded" if said["entry"]["level"] in ("error", "warning"):
                self.complaints.append(f"{said['entry']['text']} {said['entry'].get('url', '')}")
            case "Network.requestWillBeSent":
                self.requests.append(said["request"]["url"])


@contextmanager
def browser_tab(profile: Path) -> Iterator[Tab]:
    """Start a browser with an empty profile, and end it; skip the test where there is none."""
    program = find_browser()
    if program is None:
        pytest.skip("no browser: install Chromium, or name one with ECON_BROWSER")
    read_command, write_command = os.pipe()
    read_answer, write_answer = os.pipe()

    def place_pipes() -> None:
        # Kept away from 3 and 4 first, so that one does not overwrite the other.
        commands, answers = os.dup(read_command), os.dup(write_answer)
        os.dup2(commands, 3)
        os.dup2(answers, 4)

    process = subprocess.Popen(
        [
            program,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--no-first-run",
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=place_pipes,  # only descriptors are moved in the child
        close_fds=False,
    )
    os.close(read_command)
    os.close(write_answer)
    try:
        yield Tab(write_command, read_answer)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()
        os.close(write_command)
        os.close(read_answer)
