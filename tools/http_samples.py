# SPDX-License-Identifier: GPL-2.0-or-later
"""What HTTP/1.1 can look like: Tornado, with the questions that curl asks it. And two proxies: HAProxy and nginx."""

import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import tornado.web
from netns import SERVER

from wsedu.live.program import program
from wsedu.live.servers import serving

PORT = 8080
_BASE = f"http://{SERVER}:{PORT}"

# One curl process, one connection: what is asked, one after the other. --next forgets all options but the
# connection.
_QUESTIONS: list[list[str]] = [
    [f"{_BASE}/length"],
    ["--head", f"{_BASE}/length"],
    [f"{_BASE}/chunked"],
    [f"{_BASE}/none"],
    ["--header", 'If-None-Match: "v1"', f"{_BASE}/tagged"],
    [f"{_BASE}/moved"],
    [f"{_BASE}/absent"],
    ["--header", "Expect: 100-continue", "--data", "a" * 40, f"{_BASE}/count"],
    ["--header", "Transfer-Encoding: chunked", "--data", "b" * 30, f"{_BASE}/count"],
    ["--request", "PUT", "--data", "", f"{_BASE}/count"],
    ["--compressed", f"{_BASE}/long"],
    ["--header", "Connection: close", f"{_BASE}/length"],
]


_OPTIONS = ["--silent", "--show-error", "--output", "/dev/null"]
# All questions on one connection; and one in HTTP/1.0, whose answer has no length: it ends with the connection.
CURL = ["curl", *[word for question in _QUESTIONS for word in ("--next", *_OPTIONS, *question)][1:]]
OLD_CURL = ["curl", *_OPTIONS, "--http1.0", f"{_BASE}/chunked"]


class _Handler(tornado.web.RequestHandler):
    """By path. Without an Etag, except where the Etag is the point."""

    def compute_etag(self) -> str | None:
        return '"v1"' if self.request.path == "/tagged" else None

    async def get(self, path: str) -> None:
        self.set_header("Content-Type", "text/plain")
        match path:
            case "chunked":
                # The second piece looks like the end of a chunked content, and is not.
                for piece in ("in two ", "pieces\r\n0\r\n\r\nor three\n", "at the end\n"):
                    self.write(piece)
                    await self.flush()
            case "none":
                self.set_status(204)
                self.clear_header("Content-Type")
            case "moved":
                self.redirect("/length", permanent=True)
            case "absent":
                self.set_status(404)
                self.write("nothing here\n")
            case "long":
                self.write("the same line again\n" * 200)
            case _:
                self.write(f"this is {self.request.path}\n")

    head = get

    def post(self, path: str) -> None:
        self.set_header("Content-Type", "text/plain")
        self.write(f"{len(self.request.body)} bytes\n")

    put = post


serve = partial(serving, [(r"/(.*)", _Handler)], SERVER, PORT, compress_response=True)


@asynccontextmanager
async def _proxy(*command: str, ready: str) -> AsyncIterator[None]:
    """Run one in a folder of its own, in which it makes a file when it is ready."""
    with tempfile.TemporaryDirectory(prefix=f"{command[0]}-") as folder:
        with program(command[0], command, Path(folder, ready).stat, cwd=folder, stderr=None):
            time.sleep(0.1)  # HAProxy makes it a moment before it serves
            yield


_TOOLS = Path(__file__).resolve().parent
haproxy = partial(_proxy, "haproxy", "-db", "-q", "-f", str(_TOOLS / "haproxy.cfg"), ready="admin")
nginx = partial(_proxy, "nginx", "-p", ".", "-e", "error.log", "-c", str(_TOOLS / "nginx.conf"), ready="nginx.pid")
