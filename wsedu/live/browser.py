# SPDX-License-Identifier: GPL-2.0-or-later
"""A Chromium without a window, told what to do over a WebSocket: its DevTools protocol, JSON in Text frames."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
# No other host is asked for anything; and a container's root and small /dev/shm do no harm.
ARGUMENTS = ("--headless", "--remote-debugging-port=0", "--disable-background-networking", "--no-first-run",
             "--no-proxy-server", "--disable-dev-shm-usage")  # fmt: skip
START_LIMIT, ANSWER_LIMIT = 30.0, 20.0  # seconds


class BrowserPage:
    """An empty page of the browser.

    Attributes:
        events: what the browser has told of the page so far, without being asked: (method, parameters) in order.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._asked = socket, 0
        self.events: list[tuple[str, dict[str, Any]]] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol, and give its result.

        Raises:
            RuntimeError: the browser refused, or was gone; ``TimeoutError`` where it did not answer.
        """
        self._asked += 1
        try:
            self._socket.send(json.dumps({"id": self._asked, "method": method, "params": parameters}))
            while "id" not in (said := json.loads(self._socket.recv(ANSWER_LIMIT))):
                self.events.append((said["method"], said["params"]))
        except ConnectionClosed as error:
            raise RuntimeError(f"the browser has gone: {error}") from None
        if "error" in said:
            raise RuntimeError(f"{method}: {said['error']['message']}")
        result: dict[str, Any] = said["result"]
        return result

    def evaluate(self, script: str) -> Any:
        """Run JavaScript in the page, wait if its value is a promise, and give the value as Python has it."""
        done = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in done:
            raise RuntimeError(done["exceptionDetails"].get("exception", {}).get("description", "the script failed"))
        return done["result"].get("value")


@contextmanager
def browser_page() -> Iterator[BrowserPage | None]:
    """Start a Chromium with a profile that is deleted afterwards; ``None`` and a line of text where there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        print("There is no Chromium here, so nothing is run: what you see was stored elsewhere.")
        yield None
        return
    root = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="wsedu-", ignore_cleanup_errors=True) as profile:
        command = [program, *ARGUMENTS, *root, f"--user-data-dir={profile}", "about:blank"]
        with subprocess.Popen(command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL) as process:
            try:
                where = _debugging_address(Path(profile) / "DevToolsActivePort", process)
                with connect(where, proxy=None, max_size=None, compression=None) as all_pages:
                    target = BrowserPage(all_pages).call("Target.createTarget", url="about:blank")["targetId"]
                    page = f"{where.partition('/devtools/')[0]}/devtools/page/{target}"
                    with connect(page, proxy=None, max_size=None, compression=None) as socket:
                        yield BrowserPage(socket)
            finally:
                process.terminate()


def _debugging_address(file: Path, process: subprocess.Popen[bytes]) -> str:
    """Where the browser listens: it writes its port and a path into a file of its profile."""
    until = time.monotonic() + START_LIMIT
    while time.monotonic() < until and process.poll() is None:
        if file.exists() and len(lines := file.read_text().split()) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        time.sleep(0.05)
    raise RuntimeError("the browser did not begin to listen")
