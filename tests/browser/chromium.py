# Copyright (c) 2026, manila.migration contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium, spoken to by the DevTools protocol over a pipe: nothing else is needed.

What happened in a page is kept, for the tests to look at: messages of its console, requests that
are not for the page itself, and dialogs.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 60.0
"""Seconds for the answer to one command, on a busy machine."""


def program() -> str | None:
    """Where Chromium is, if it is anywhere."""
    return next((path for path in map(shutil.which, PROGRAMS) if path), None)


class Chromium:
    """The browser with one page.  ``console``, ``requests``, ``dialogs`` are of the page that is open."""

    def __init__(self, profile: Path) -> None:
        self.console: list[str] = []
        self._asked: dict[str, str] = {}
        self.dialogs: list[str] = []
        self._page = ""
        self._session: str | None = None
        self._number = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._loaded = False
        self._rest = b""
        read_by_it, self._to = os.pipe()
        self._from, written_by_it = os.pipe()
        arguments = [
            str(program()),
            "--headless=new",
            "--no-sandbox",  # root has none; the page is our own
            "--disable-gpu",
            "--hide-scrollbars",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            f"--user-data-dir={profile}",
            "--remote-debugging-pipe",
            "about:blank",
        ]
        # The protocol is on the descriptors 3 and 4.
        shell = ["bash", "-c", f'exec 3<&{read_by_it} 4>&{written_by_it} "$@"', "bash", *arguments]
        self._process = subprocess.Popen(
            shell,
            pass_fds=(read_by_it, written_by_it),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_by_it)
        os.close(written_by_it)
        targets = self.send("Target.getTargets")["targetInfos"]
        page = next(one["targetId"] for one in targets if one["type"] == "page")
        self._session = self.send("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.send("Performance.enable", timeDomain="threadTicks")

    @property
    def requests(self) -> list[str]:
        """What was asked for over the network."""
        return list(self._asked.values())

    def close(self) -> None:
        """End the browser."""
        self._session = None
        try:
            self.send("Browser.close")
            self._process.wait(PATIENCE)
        except (RuntimeError, OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """A command, and its answer."""
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + PATIENCE
        while number not in self._answers:
            self._hear(end, method)
        answer = self._answers.pop(number)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return dict(answer["result"])

    def open(self, file: Path) -> None:
        """Load a file, and wait until it is there."""
        self._page = file.as_uri()
        for heard in (self.console, self._asked, self.dialogs):
            heard.clear()
        self._loaded = False
        self.send("Page.navigate", url=self._page)
        end = time.monotonic() + PATIENCE
        while not self._loaded:
            self._hear(end, self._page)

    def eval(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        said = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in said:
            raise RuntimeError(said["exceptionDetails"]["exception"]["description"])
        return said["result"].get("value")

    def work(self) -> float:
        """Seconds of processor that the page's thread has taken: the same on a busy machine."""
        metrics = self.send("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))

    def resize(self, width: int, height: int) -> None:
        """Make the window so large, and a phone of it where it is narrow."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def prefer(self, scheme: str = "light", media: str = "") -> None:
        """Ask for a colour scheme, and for a medium: ``print``."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.send("Emulation.setEmulatedMedia", media=media, features=features)

    def screenshot(self, file: Path, whole: bool = True) -> None:
        """Take a picture of the page."""
        picture = self.send("Page.captureScreenshot", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(picture["data"]))

    def pdf(self) -> bytes:
        """The page on paper."""
        made = self.send("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
        return base64.b64decode(made["data"])

    def _hear(self, end: float, what: str) -> None:
        ready = select.select([self._from], [], [], max(0.0, end - time.monotonic()))[0]
        heard = os.read(self._from, 1 << 20) if ready else b""
        if not heard:
            raise RuntimeError(f"Chromium does not answer to {what}")
        *messages, self._rest = (self._rest + heard).split(b"\0")
        for message in messages:
            self._take(json.loads(message))

    def _take(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params", {})
        if "id" in message:
            self._answers[message["id"]] = message
        elif method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Runtime.consoleAPICalled":
            self.console.append(str(params["args"]))
        elif method == "Runtime.exceptionThrown":
            self.console.append(str(params["exceptionDetails"]))
        elif method == "Log.entryAdded":
            self.console.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            if params["request"]["url"] != self._page:
                self._asked[params["requestId"]] = params["request"]["url"]
        elif method == "Network.loadingFailed" and params.get("blockedReason") == "csp":
            self._asked.pop(params["requestId"], None)  # it was never sent
        elif method == "Page.javascriptDialogOpening":
            self.dialogs.append(params["message"])
