# SPDX-License-Identifier: GPL-2.0-or-later
"""A Chromium without a window, told what to do over a WebSocket: its DevTools protocol, JSON in Text frames."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from .program import program

NAMES = ("chromium", "chromium-browser", "google-chrome")
# No other host is asked for anything; and a container's root and small /dev/shm do no harm.
ARGUMENTS = ("--headless", "--remote-debugging-port=0", "--disable-background-networking", "--no-first-run",
             "--no-proxy-server", "--disable-dev-shm-usage")  # fmt: skip
ANSWER_LIMIT = 20.0  # seconds


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
    name = next(filter(None, map(shutil.which, NAMES)), None)
    if name is None:
        print("There is no Chromium here, so nothing is run: what you see was stored elsewhere.")
        yield None
        return
    root = ["--no-sandbox"] if os.name == "posix" and os.geteuid() == 0 else []
    opened = partial(connect, proxy=None, max_size=None, compression=None)
    with tempfile.TemporaryDirectory(prefix="wsedu-", ignore_cleanup_errors=True) as profile:

        def listens() -> str:
            # A file of its profile, in which it writes the port and a path; half of that is a ValueError.
            port, path = Path(profile, "DevToolsActivePort").read_text().split()
            return f"ws://127.0.0.1:{port}{path}"

        command = [name, *ARGUMENTS, *root, f"--user-data-dir={profile}", "about:blank"]
        with program("the browser", command, listens) as where, opened(where) as all_pages:
            target = BrowserPage(all_pages).call("Target.createTarget", url="about:blank")["targetId"]
            with opened(f"{where.partition('/devtools/')[0]}/devtools/page/{target}") as socket:
                yield BrowserPage(socket)
